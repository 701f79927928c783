"""Random walk on the feature grid with dense matrices, written from the formulas."""

import torch
from torch import Tensor

from mmwsss.affinity.stencil import stencil_offsets


def dense_affinities(affinities: Tensor, radius: int) -> Tensor:
    """Symmetric matrix A (hw, hw) of affinities (K, h, w), with ones on the diagonal."""
    _, height, width = affinities.shape
    dense = torch.eye(height * width, dtype=affinities.dtype)
    cells = torch.arange(height * width).view(height, width)
    for k, (dy, dx) in enumerate(stencil_offsets(radius)):
        inside = cells[: max(height - dy, 0), max(-dx, 0) : max(width - max(dx, 0), 0)]
        first, second = inside.flatten(), inside.flatten() + dy * width + dx
        dense[first, second] = dense[second, first] = affinities[k].flatten()[first]
    return dense


def dense_walk(scores: Tensor, dense: Tensor, beta: float, log_steps: int) -> Tensor:
    """``M T^(2^s)`` of scores (R, N) by squaring T = W / column sums, W = A^beta."""
    weights = dense**beta
    transition = weights / weights.sum(dim=0, keepdim=True)
    for _ in range(log_steps):
        transition = transition @ transition
    return scores @ transition
