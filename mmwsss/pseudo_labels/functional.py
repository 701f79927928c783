"""Scores of pixels from low-resolution features, as pure functions of tensors.

Everything computed here at full resolution is linear in the features, up to one division by a norm.
No C-channel map of the image's size is therefore ever made. The linear parts are computed on the
feature grid and only the few resulting channels are resized; the norms come from products of
neighbouring features.

Legend: C channels, n present classes, q vectors, r regions, h x w feature grid, H x W pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.cams.separable_sampling import (
    bilinear_matrix,
    neighbour_products,
    sampled_square_norm,
)
from mmwsss.structures import size_of

_EPS = 1e-12


def upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps bilinearly and corner-aligned, (n, h, w) -> (n, H, W)."""
    # Maps form the batch: there may be none, and PyTorch refuses to resize zero channels.
    return F.interpolate(maps[:, None], size, mode='bilinear', align_corners=True)[:, 0]


def resize_matrices(
    feat_size: tuple[int, int], size: tuple[int, int], like: Tensor
) -> tuple[Tensor, Tensor]:
    """Matrices of the corner-aligned resize, ``upsample(m, size) = rows @ m @ cols.mT``.

    Args:
        feat_size: Size (h, w) of the maps to resize.
        size: Size (H, W) to resize to.
        like: Tensor whose device and type the matrices take.

    Returns:
        ``rows`` (H, h) and ``cols`` (W, w).
    """
    positions = [
        torch.linspace(0, source - 1, target, device=like.device, dtype=like.dtype)
        for source, target in zip(feat_size, size, strict=True)
    ]
    rows, cols = (bilinear_matrix(u, s) for u, s in zip(positions, feat_size, strict=True))
    return rows, cols


def cosine_maps(feats: Tensor, vectors: Tensor, size: tuple[int, int]) -> Tensor:
    """Cosines of given vectors with the resized features, at every pixel.

    ``cos(F(p), v) = up(f . v/|v|)(p) / |F(p)|`` where ``F = up(f)``. A zero vector has cosine 0
    with everything.

    Args:
        feats: Features f, (C, h, w).
        vectors: Vectors v, (q, C).
        size: Size (H, W) of the image.

    Returns:
        Cosines in [-1, 1], (q, H, W).
    """
    directions = F.normalize(vectors, dim=1, eps=_EPS)
    rows, cols = resize_matrices(size_of(feats), size, feats)
    with torch.autocast(feats.device.type, enabled=False):
        projections = torch.einsum('qc,chw->qhw', directions, feats)
        norm = sampled_square_norm(neighbour_products(feats[None]), rows, cols).sqrt()  # (1, H, W)
    # The norm of nearly opposite neighbours is a difference of large numbers, so clamp the result.
    return (upsample(projections, size) / norm.clamp_min(_EPS)).clamp(-1, 1)


def region_means(feats: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the resized features over regions of pixels.

    ``mean over M of F = sum_hw f up^T(M) / |M|`` with the adjoint ``up^T(M) = rows^T M cols``.

    Args:
        feats: Features f, (C, h, w).
        regions: Regions M as maps of 0 and 1, (r, H, W).

    Returns:
        Means (r, C), 0 for an empty region, and the number of pixels of each region (r,).
    """
    regions = regions.to(feats.dtype)
    rows, cols = resize_matrices(size_of(feats), size_of(regions), feats)
    num_pixels = regions.sum(dim=(1, 2))
    with torch.autocast(feats.device.type, enabled=False):
        shares = rows.mT @ regions @ cols  # (r, h, w)
        sums = shares.flatten(1) @ feats.flatten(1).mT
    return sums / num_pixels.clamp_min(1)[:, None], num_pixels


def background_attention_map(feats: Tensor, background: Tensor) -> Tensor:
    """Similarity of every pixel to the mean feature of the pixels known to be background.

    ``A(p) = max(0, cos(F(p), q))`` with ``q = mean of F over the background``; 0 everywhere if no
    pixel is known to be background.

    Args:
        feats: Features, (C, h, w).
        background: 1 on pixels known to be background, (H, W).

    Returns:
        Attention in [0, 1], (1, H, W).

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
    Segmentation", CVPR 2021, Sec. 3.1 with a single grid cell. If no pixel is known to be
    background, the published code gives NaN, and so an all-background label.
    """
    query, _ = region_means(feats, background[None])
    return cosine_maps(feats, query, size_of(background)).relu()


def keep_near_maximum(maps: Tensor, *, threshold: float) -> Tensor:
    """Zero all values below ``threshold`` times the maximum of their map, (n, H, W)."""
    return torch.where(maps >= threshold * maps.amax(dim=(1, 2), keepdim=True), maps, 0)


def softmax_inside(scores: Tensor, inside: Tensor) -> Tensor:
    """Replace scores by their softmax over the rows where ``inside`` is true.

    Args:
        scores: Background first, (1+n, H, W).
        inside: Where to normalise, bool (H, W).

    Returns:
        Scores (1+n, H, W), unchanged outside.
    """
    return torch.where(inside, scores.softmax(dim=0), scores)


def retrieval_scores(
    feats: Tensor, regions: Tensor, fallback: Tensor, background: Tensor
) -> Tensor:
    """Score every pixel by its similarity to the mean feature of each label's pixels.

    ``C_c(p) = max(0, cos(F(p), p_c))`` with the prototype ``p_c = mean of F over region c``, or the
    fallback vector of c if its region is empty; ``C_0 = 1`` on known background.

    Args:
        feats: Features, (C, h, w).
        regions: Pixels of each label as 0 and 1, background first, (1+n, H, W).
        fallback: Prototype of a label without pixels, (1+n, C).
        background: True on pixels known to be background, bool (H, W).

    Returns:
        Scores in [0, 1], (1+n, H, W).

    Source: Oh et al., CVPR 2021, Sec. 3.2. As in the published code, negative cosines are cut and
    the fallback vectors are the classifier's weights.
    """
    means, num_pixels = region_means(feats, regions)
    prototypes = torch.where(num_pixels[:, None] > 0, means, fallback)
    scores = cosine_maps(feats, prototypes, size_of(regions)).relu()
    certain = scores[:1].masked_fill(background, 1)
    return torch.cat([certain, scores[1:]])
