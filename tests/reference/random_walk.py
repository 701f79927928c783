"""Random walk on the feature grid with dense matrices, written from the formulas."""

import torch
from torch import Tensor

from mmwsss.affinity.stencil import stencil_offsets


def dense_affinities(affinities: Tensor, radius: int) -> Tensor:
    """Symmetric matrix A (hw, hw) of affinities (K, h, w), with ones on the diagonal."""
    _, height, width = affinities.shape
    dense = torch.eye(height * width, dtype=affinities.dtype)
    for k, (dy, dx) in enumerate(stencil_offsets(radius)):
        for y in range(height):
            for x in range(width):
                if y + dy < height and 0 <= x + dx < width:
                    i, j = y * width + x, (y + dy) * width + x + dx
                    dense[i, j] = dense[j, i] = affinities[k, y, x]
    return dense


def dense_walk(scores: Tensor, dense: Tensor, beta: float, log_steps: int) -> Tensor:
    """``M T^(2^s)`` of scores (R, N) by squaring T = W / column sums, W = A^beta."""
    weights = dense**beta
    transition = weights / weights.sum(dim=0, keepdim=True)
    for _ in range(log_steps):
        transition = transition @ transition
    return scores @ transition
