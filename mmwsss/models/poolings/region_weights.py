"""Weights over feature positions that pool boxes and background cells, as matrices.

A pooled feature is a weighted mean of the features at the h*w positions of the map. Here the
weights themselves are computed, ``r = sum_p a(p) f(p)``, so that any map of the same size can be
pooled, such as a map of class scores. A bias-free linear classifier gives the same score for the
pooled feature as the pooling of its score map, ``W r = sum_p a(p) (W f(p))``.

Legend: B images, C channels, M boxes per image (padded), J = G*G background cells, O bins per side,
h x w feature map, H x W pixels, n x m sampling points of a box (padded).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmwsss.cams.separable_sampling import (
    NeighbourProducts,
    bilinear_matrix,
    neighbour_maps,
    neighbour_maps_grad,
    sampled_square_norm,
    source_positions,
)

_EPS = 1e-12
# Smallest weight of a point in a box. With it, a bin in which everything equals the background has
# a plain mean; without it, rounding errors of 1e-7 would be divided by their own sum.
_MIN_WEIGHT = 1e-6


class BoxGrid(NamedTuple):
    """Sampling points of boxes and the bins they fall into.

    Attributes:
        rows: Row sampling matrices (B, M, n, h).
        cols: Column sampling matrices (B, M, m, w).
        row_bins: 1 where a row of points belongs to a bin, (B, M, O, n).
        col_bins: 1 where a column of points belongs to a bin, (B, M, O, m).
    """

    rows: Tensor
    cols: Tensor
    row_bins: Tensor
    col_bins: Tensor


def grid_cell_weights(mask: Tensor, *, grid_size: int) -> tuple[Tensor, Tensor]:
    """Average the background of every cell of a regular grid.

    The map is padded with zeros to multiples of G, evenly on both sides if the padding is even,
    otherwise only at the end; ``q_j = sum_{p in cell j} m(p) f(p) / sum_{p in cell j} m(p)``.

    Args:
        mask: 1 on background, 0 elsewhere, float (B, h, w).
        grid_size: Cells per side, G.

    Returns:
        Weights (B, J, h*w), cells row by row, zero for cells without background; and the number of
        background positions in every cell (B, J).

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
        Segmentation", CVPR 2021, eq. 1.
    """
    cell_rows = _cells_of_axis(mask.shape[1], grid_size, mask)
    cell_cols = _cells_of_axis(mask.shape[2], grid_size, mask)
    members = torch.einsum('gy,kx,byx->bgkyx', cell_rows, cell_cols, mask)
    members = members.flatten(3).flatten(1, 2)  # (B, J, hw)
    counts = members.sum(dim=-1)
    return members / (counts.unsqueeze(-1) + _EPS), counts


def _cells_of_axis(size: int, grid_size: int, like: Tensor) -> Tensor:
    """Tell which entries of an axis lie in which cell, (G, size) of 0 and 1."""
    padding = -size % grid_size
    before = padding // 2 if padding % 2 == 0 else 0
    entries = torch.arange(size, device=like.device) + before
    cell = entries // ((size + padding) // grid_size)
    cells = torch.arange(grid_size, device=like.device).unsqueeze(1)
    return (cell == cells).to(like.dtype)


def box_grid(
    boxes: Tensor, *, image_size: tuple[int, int], feat_size: tuple[int, int], bins: int
) -> BoxGrid:
    """Place the sampling points of boxes on the feature map.

    With ``X = x / ((W-1)/2) - 1``, a box is ``ceil(x2') - floor(x1')`` points wide, at least one,
    where ``x' = X (w-1)/2 + (w-1)/2``. The points are spread evenly from X1 to X2 and sampled in
    the half-pixel convention, with zeros outside the map, as in the published results.

    Args:
        boxes: Boxes xyxy in pixels, (B, M, 4). Sides are clamped to [-1, W+1] and [-1, H+1],
            because the published crop ends a box that it cuts at W+1, which becomes -1 by flipping.
        image_size: (H, W).
        feat_size: (h, w).
        bins: Bins per side, O.

    Returns:
        Points and bins. Points beyond the size of a box belong to no bin.
    """
    rows, row_bins = _axis_grid(boxes[..., 1], boxes[..., 3], image_size[0], feat_size[0], bins)
    cols, col_bins = _axis_grid(boxes[..., 0], boxes[..., 2], image_size[1], feat_size[1], bins)
    return BoxGrid(rows, cols, row_bins, col_bins)


def _axis_grid(
    start: Tensor, end: Tensor, pixels: int, size: int, bins: int
) -> tuple[Tensor, Tensor]:
    # In an image of a single pixel the corners coincide; any finite scale will do.
    span = max(pixels - 1, 1)
    start, end = (side.clamp(-1, pixels + 1) / (span / 2) - 1 for side in (start, end))
    first, last = (side * ((size - 1) / 2) + (size - 1) / 2 for side in (start, end))
    count = (last.ceil() - first.floor()).clamp_min(1).unsqueeze(-1)  # (B, M, 1)
    # Largest x2' upwards from 0, smallest x1' downwards from 0. If one is an integer, rounding may
    # push it over.
    most = (pixels + 1) * (size - 1) // span + 1 + (size - 1) // span + 1
    index = torch.arange(most, device=start.device, dtype=start.dtype)
    step = (end - start).unsqueeze(-1) / (count - 1).clamp_min(1)
    coords = start.unsqueeze(-1) + index * step  # (B, M, n)
    sampling = bilinear_matrix(source_positions(coords, size, corner_aligned=False), size)
    return sampling, _bins_of_points(index, count, bins)


def _bins_of_points(index: Tensor, count: Tensor, bins: int) -> Tensor:
    """Tell which of ``count`` (B, M, 1) points lie in which bin, (B, M, O, n).

    Bins start every ``count // O`` points and are ``count - (O-1) (count // O)`` long, so they
    overlap if O does not divide the count. With fewer points than bins, the last point is reused.
    """
    stride = (count / bins).floor().clamp_min(1)
    length = (count - (bins - 1) * stride).clamp_min(1)
    bin_index = torch.arange(bins, device=index.device, dtype=index.dtype)
    first = torch.minimum(bin_index * stride, count - length).unsqueeze(-1)  # (B, M, O, 1)
    return ((index >= first) & (index < first + length.unsqueeze(-1))).to(index.dtype)


def background_attention_at_points(
    feats: Tensor, cell_weights: Tensor, cell_valid: Tensor, grid: BoxGrid
) -> Tensor:
    """Similarity of the points in boxes to the background of their image.

    ``A(p) = 1/|J| sum_j max(0, cos(F(p), q_j))`` over the valid cells, where F are bilinearly
    sampled features. These are never built: instead, the inner products with the q_j are sampled,
    and the norm of F follows from products of neighbouring features.

    Args:
        feats: Features (B, C, h, w).
        cell_weights: Weights of the background cells (B, J, h*w); constant.
        cell_valid: Which cells have background, bool (B, J).
        grid: Sampling points of the boxes.

    Returns:
        Attention (B, M, n, m) in [0, 1] up to rounding; 0 without any valid cell. Differentiable
        once with respect to ``feats``, including through the queries.

    Source: Oh et al., CVPR 2021, eq. 2-3; the maximum is taken for each cell before the mean.
    """
    maps, dots, query_square = _QueryProducts.apply(feats, cell_weights)
    query_norm = query_square.clamp_min(_EPS**2).sqrt()
    share = cell_valid / cell_valid.sum(dim=1, keepdim=True).clamp_min(1)
    dots = dots * (share / query_norm).unsqueeze(-1)  # (B, J, hw)
    point_square = sampled_square_norm(NeighbourProducts(*maps.unbind(1)), grid.rows, grid.cols)
    point_norm = point_square.clamp_min(_EPS**2).sqrt()
    height, width = feats.shape[2:]
    sampled = _sample(dots.unflatten(2, (height, width)), grid)
    return sampled.clamp_min(0).sum(dim=3) / point_norm


def _sample(maps: Tensor, grid: BoxGrid) -> Tensor:
    """Sample maps (B, J, h, w) at the points of all boxes, (B, M, n, J, m)."""
    num_maps, _, width = maps.shape[1:]
    num_boxes, num_rows = grid.rows.shape[1:3]
    by_row = grid.rows.flatten(1, 2) @ maps.transpose(1, 2).flatten(2)  # (B, Mn, Jw)
    by_row = by_row.view(-1, num_boxes, num_rows * num_maps, width)
    return (by_row @ grid.cols.mT).unflatten(2, (num_rows, num_maps))


def box_bin_weights(point_weights: Tensor, grid: BoxGrid) -> Tensor:
    """Weighted mean of the points of every bin, as weights over the feature map.

    ``r = sum_p a(p) F(p) / sum_p a(p)`` over the points of a bin, with ``a(p) >= 1e-6``.

    Args:
        point_weights: Weights a of the points (B, M, n, m).
        grid: Sampling points of the boxes.

    Returns:
        Weights (B, M, O*O, h*w), bins row by row. They sum to 1, or less where a box reaches
        beyond the map.

    Source: Oh et al., CVPR 2021, eq. 4; 2x2 bins instead of one mean per box, as in their results.
    """
    point_weights = point_weights.clamp_min(_MIN_WEIGHT)
    rows = grid.row_bins.unsqueeze(-1) * grid.rows.unsqueeze(2)  # (B, M, O, n, h)
    cols = grid.col_bins.unsqueeze(-1) * grid.cols.unsqueeze(2)  # (B, M, O, m, w)
    sums = grid.row_bins @ point_weights @ grid.col_bins.mT  # (B, M, O, O)
    rows = rows.transpose(2, 3).flatten(3)  # (B, M, n, Oh)
    cols = cols.transpose(2, 3).flatten(3)  # (B, M, m, Ow)
    bins, height, width = sums.shape[-1], grid.rows.shape[-1], grid.cols.shape[-1]
    spread = (rows.mT @ point_weights @ cols).unflatten(3, (bins, width))
    spread = spread.unflatten(2, (bins, height)).transpose(3, 4)  # (B, M, O, O, h, w)
    return (spread / sums[..., None, None]).flatten(4).flatten(2, 3)


class _QueryProducts(torch.autograd.Function):
    """Everything that the attention needs from the features, with a single gradient buffer.

    The queries are ``q = a f^T`` with constant weights a (B, J, hw). Returns the neighbour products
    (B, 4, h, w), the inner products of queries and features (B, J, hw) and the squared norms of the
    queries (B, J).
    """

    @staticmethod
    def forward(ctx: Any, feats: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
        flat = feats.flatten(2).to(weights.dtype)  # (B, C, hw)
        queries = weights @ flat.mT  # (B, J, C)
        ctx.save_for_backward(feats, weights, queries)
        return neighbour_maps(feats), queries @ flat, queries.square().sum(dim=-1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_maps: Tensor, grad_dots: Tensor, grad_square: Tensor
    ) -> tuple[Tensor, None]:
        feats, weights, queries = ctx.saved_tensors
        flat = feats.flatten(2).to(weights.dtype)
        grad_queries = grad_dots @ flat.mT + 2 * grad_square.unsqueeze(-1) * queries
        grad = neighbour_maps_grad(feats, grad_maps)
        left = torch.cat([queries, grad_queries], dim=1)  # (B, 2J, C)
        right = torch.cat([grad_dots, weights], dim=1)  # (B, 2J, hw)
        grad.flatten(2).baddbmm_(left.mT, right)
        return grad.to(feats.dtype), None
