"""Pseudo labels from boxes, step by step on full-size features, written from the formulas."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def full_size_features(feats: Tensor, size: tuple[int, int]) -> Tensor:
    """(C, h, w) -> (C, H, W), bilinear and corner-aligned."""
    return F.interpolate(feats[None], size, mode='bilinear', align_corners=True)[0]


def cosine(full: Tensor, vector: Tensor) -> Tensor:
    """Cosine of features (C, H, W) with a vector (C,) at every pixel."""
    unit = vector / vector.norm().clamp_min(1e-12)
    return (full / full.norm(dim=0).clamp_min(1e-12) * unit[:, None, None]).sum(dim=0)


def region_mean(full: Tensor, region: Tensor) -> Tensor:
    """Mean of features (C, H, W) over a bool region; None if it is empty."""
    return full[:, region].mean(dim=1) if region.any() else None


def box_normalized(cams: Tensor, boxes: list, labels: list, classes: list) -> Tensor:
    """Divide by the maximum in each box, a later box overwriting an earlier one."""
    normalized = torch.zeros_like(cams)
    for (x1, y1, x2, y2), label in zip(boxes, labels, strict=True):
        if label not in classes or x2 <= x1 or y2 <= y1:
            continue
        row = classes.index(label)
        inside = cams[row, y1:y2, x1:x2]
        normalized[row, y1:y2, x1:x2] = inside / (inside.max() + 1e-12)
    return normalized


def union(boxes: list, labels: list, classes: list, size: tuple[int, int]) -> Tensor:
    """Pixels in any box of each class."""
    covered = torch.zeros(len(classes), *size, dtype=torch.bool)
    for (x1, y1, x2, y2), label in zip(boxes, labels, strict=True):
        if label in classes:
            covered[classes.index(label), y1:y2, x1:x2] = True
    return covered


def unary(
    feats: Tensor, weights: Tensor, background: Tensor, boxes: list, labels: list, classes: list
) -> Tensor:
    """Scores (1+n, H, W) that go into the CRF; ``weights`` (1+n, C) has the background first."""
    full = full_size_features(feats, tuple(background.shape))
    query = region_mean(full, background)
    attention = torch.zeros(background.shape)
    if query is not None:
        attention = cosine(full, query).clamp_min(0)
        attention[attention < 0.99 * attention.max()] = 0
    attention[background] = 1
    cams = torch.stack([(w[:, None, None] * full).sum(dim=0).clamp_min(0) for w in weights[1:]])
    normalized = box_normalized(cams, boxes, labels, classes)
    scores = torch.cat([attention[None], normalized])
    softmax = scores.exp() / scores.exp().sum(dim=0)
    return torch.where(background, scores, softmax)


def retrieved(
    feats: Tensor, weights: Tensor, label: Tensor, background: Tensor, in_boxes: Tensor
) -> Tensor:
    """Scores (1+n, H, W): cosines to the mean feature of each row number in ``label``."""
    full = full_size_features(feats, tuple(label.shape))
    planes = []
    for row, weight in enumerate(weights):
        prototype = region_mean(full, label == row)
        planes.append(cosine(full, weight if prototype is None else prototype).clamp_min(0))
    planes[0][background] = 1
    return torch.stack([planes[0], *(torch.stack(planes[1:]) * in_boxes)])


def mean_field(
    energies: np.ndarray, image: np.ndarray, terms: tuple, iterations: int
) -> np.ndarray:
    """Mean field of a dense CRF with exact Gaussian kernels, for a few pixels; (L, H, W)."""
    weight_b, xy_b, rgb_b, weight_g, xy_g = terms
    num_labels, height, width = energies.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    kernel_b, kernel_g = np.zeros((2, len(pixels), len(pixels)))
    for i, (y, x) in enumerate(pixels):
        for j, (v, u) in enumerate(pixels):
            far = (y - v) ** 2 + (x - u) ** 2
            colour = ((image[y, x].astype(float) - image[v, u]) ** 2).sum()
            kernel_g[i, j] = np.exp(-far / (2 * xy_g**2))
            kernel_b[i, j] = np.exp(-far / (2 * xy_b**2) - colour / (2 * rgb_b**2))
    pull = 0
    for weight, kernel in ((weight_b, kernel_b), (weight_g, kernel_g)):
        norm = 1 / np.sqrt(kernel.sum(axis=1))
        pull = pull + weight * norm[:, None] * kernel * norm
    unary = energies.reshape(num_labels, -1)
    marginals = np.exp(-unary) / np.exp(-unary).sum(axis=0)
    for _ in range(iterations):
        scores = np.exp(-unary + marginals @ pull)
        marginals = scores / scores.sum(axis=0)
    return marginals.reshape(energies.shape)
