"""Bilinear sampling on separable grids, and the norm of sampled features without sampling them.

A grid whose points are all pairs of some rows and some columns is sampled by two small matrices,
``F = rows @ f @ cols^T``. What is linear in the features can therefore be sampled after it was
reduced to a few channels. The one quantity that is not linear, the norm of the sampled feature
vector, needs only products of neighbouring features, see :func:`sampled_square_norm`.

Legend: B images, C channels, h x w feature map, n x m sampled points.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

# Channels handled at a time: small enough for the products to stay in the cache of a CPU core.
_CHANNELS_PER_CHUNK = 16


class NeighbourProducts(NamedTuple):
    """Inner products over channels of neighbouring features, four maps (B, h, w).

    Entries whose neighbour lies outside the map are 0.

    Attributes:
        square: f(y, x) . f(y, x).
        right: f(y, x) . f(y, x+1).
        below: f(y, x) . f(y+1, x).
        diagonal: f(y, x) . f(y+1, x+1) + f(y, x+1) . f(y+1, x). Bilinear sampling weighs both
            diagonals of a square of four features equally, so that their sum is enough.
    """

    square: Tensor
    right: Tensor
    below: Tensor
    diagonal: Tensor


def source_positions(coords: Tensor, size: int, *, corner_aligned: bool) -> Tensor:
    """Turn normalised coordinates in [-1, 1] into positions on an axis of ``size`` entries.

    ``(X+1)(size-1)/2`` when -1 and 1 are the centres of the first and the last entry
    (``corner_aligned``), else ``((X+1)size-1)/2``: they are the outer borders of these entries.

    Args:
        coords: Normalised coordinates X, any shape.
        size: Number of entries of the axis.
        corner_aligned: Which of the two conventions; the ``align_corners`` of PyTorch.

    Returns:
        Positions u of the same shape; entry i is at u = i.
    """
    if corner_aligned:
        return (coords + 1) * ((size - 1) / 2)
    return ((coords + 1) * size - 1) / 2


def bilinear_matrix(positions: Tensor, size: int) -> Tensor:
    """Weights ``max(0, 1 - |u - i|)`` that sample an axis of ``size`` entries at positions u.

    Outside the axis there are zeros: a point within one step of the border is attenuated, one
    farther away has only zero weights.

    Args:
        positions: Positions u on the axis, (..., n); entry i is at u = i.
        size: Number of entries of the axis.

    Returns:
        Sampling matrix (..., n, size).
    """
    entries = torch.arange(size, device=positions.device, dtype=positions.dtype)
    return (1 - (positions.unsqueeze(-1) - entries).abs()).clamp_min(0)


def neighbour_products(feats: Tensor) -> NeighbourProducts:
    """Inner products of every feature with itself and its neighbours, differentiable once.

    Both memory formats are served without a copy, and no product of the size of ``feats`` is kept
    for the backward pass. Half precision is computed in single precision.

    Args:
        feats: Features (B, C, h, w).

    Returns:
        Four maps (B, h, w).
    """
    with torch.autocast(feats.device.type, enabled=False):
        return NeighbourProducts(*_NeighbourProductsFunction.apply(feats))


def sampled_square_norm(products: NeighbourProducts, rows: Tensor, cols: Tensor) -> Tensor:
    """Squared norm of bilinearly sampled features, exact, without sampling any feature.

    At a point with row weights r and column weights c, ``F = sum_yx r_y c_x f(y, x)``. A bilinear
    row of weights has at most two entries, next to each other, so that ``|F|^2`` is the sum of
    ``r_y^2 c_x^2 square + 2 r_y^2 c_x c_x+1 right + 2 r_y r_y+1 c_x^2 below +
    2 r_y r_y+1 c_x c_x+1 diagonal`` over all y, x.

    Args:
        products: Maps (B, h, w) of :func:`neighbour_products`.
        rows: Row sampling matrices of :func:`bilinear_matrix`, (n, h) for all images or
            (B, ..., n, h).
        cols: Column sampling matrices, (m, w) or (B, ..., m, w), with the leading sizes of
            ``rows``.

    Returns:
        Squared norms (B, ..., n, m), never negative.
    """
    square, right, below, diagonal = products
    block = torch.cat(  # (B, 2h, 2w)
        [torch.cat([square, 2 * right], -1), torch.cat([2 * below, 2 * diagonal], -1)], -2
    )
    for _ in range(rows.dim() - 3):  # (B, 1, .., 2h, 2w): the same maps for all grids of an image
        block = block.unsqueeze(1)
    squared_norm = _squares_and_neighbours(rows) @ block @ _squares_and_neighbours(cols).mT
    return squared_norm.clamp_min(0)


def _squares_and_neighbours(weights: Tensor) -> Tensor:
    """Turn weights (..., n, s) into (..., n, 2s): their squares, then products with the next."""
    following = torch.nn.functional.pad(weights[..., 1:], (0, 1))
    return torch.cat([weights.square(), weights * following], dim=-1)


class _NeighbourProductsFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, feats: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(feats)
        return neighbour_maps(feats).unbind(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *grad_maps: Tensor) -> Tensor:
        (feats,) = ctx.saved_tensors
        return neighbour_maps_grad(feats, torch.stack(grad_maps, dim=1)).to(feats.dtype)


def neighbour_maps(feats: Tensor) -> Tensor:
    """Maps of :class:`NeighbourProducts` in its order, (B, 4, h, w), outside of autograd."""
    feats = _at_least_single(feats)
    if _is_channels_last(feats):
        return _maps_of_rows(feats)
    return _maps_of_channels(feats)


def neighbour_maps_grad(feats: Tensor, grad_maps: Tensor) -> Tensor:
    """Gradient of :func:`neighbour_maps`, (B, C, h, w), from that of the maps (B, 4, h, w)."""
    feats = _at_least_single(feats)
    grad_maps = _zero_outside(grad_maps.to(feats.dtype, copy=True))
    grad_maps[:, 0] *= 2  # both factors of a square are the same feature
    if _is_channels_last(feats):
        return _grad_of_rows(feats, grad_maps)
    return _grad_of_channels(feats, grad_maps)


def _at_least_single(feats: Tensor) -> Tensor:
    return feats if feats.dtype == torch.float64 else feats.float()


def _is_channels_last(feats: Tensor) -> bool:
    return feats.is_contiguous(memory_format=torch.channels_last) and not feats.is_contiguous()


def _zero_outside(maps: Tensor) -> Tensor:
    """Zero, in place, the entries of (B, 4, h, w) whose neighbour would lie outside the map."""
    maps[:, 1, :, -1] = 0
    maps[:, 2, -1] = 0
    maps[:, 3, :, -1] = 0
    maps[:, 3, -1] = 0
    return maps


# Channels first: all positions of a channel are contiguous, a neighbour is a shift along them. What
# wraps round at the end of a row is removed from the maps, which are small.


def _pairs(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """List (map, first, second, length): products of the positions first + i and second + i."""
    size = height * width
    pairs = [
        (0, 0, 0, size),
        (1, 0, 1, size - 1),
        (2, 0, width, size - width),
        (3, 0, width + 1, size - width - 1),
        (3, 1, width, size - width - 1),
    ]
    return [pair for pair in pairs if pair[-1] > 0]


def _maps_of_channels(feats: Tensor) -> Tensor:
    batch, _, height, width = feats.shape
    maps = feats.new_zeros(batch, 4, height * width)
    for chunk in feats.flatten(2).split(_CHANNELS_PER_CHUNK, dim=1):
        for index, first, second, length in _pairs(height, width):
            product = chunk.narrow(2, first, length) * chunk.narrow(2, second, length)
            maps[:, index, :length] += product.sum(dim=1)
    return _zero_outside(maps.unflatten(2, (height, width)))


def _grad_of_channels(feats: Tensor, grad_maps: Tensor) -> Tensor:
    height, width = feats.shape[2:]
    feats = feats.flatten(2)
    grad = torch.empty_like(feats, memory_format=torch.contiguous_format)
    grads = grad_maps.flatten(2).unsqueeze(2)  # (B, 4, 1, hw)
    chunks = feats.split(_CHANNELS_PER_CHUNK, 1), grad.split(_CHANNELS_PER_CHUNK, 1)
    for chunk, grad_chunk in zip(*chunks, strict=True):
        torch.mul(chunk, grads[:, 0], out=grad_chunk)
        for index, first, second, length in _pairs(height, width)[1:]:
            outer = grads[:, index, :, :length]
            one, other = (chunk.narrow(2, start, length) for start in (first, second))
            grad_chunk.narrow(2, first, length).addcmul_(outer, other)
            grad_chunk.narrow(2, second, length).addcmul_(outer, one)
    return grad.unflatten(2, (height, width))


# Channels last: the features of a row are a contiguous (w, C) matrix, and the products of two rows
# are a (w, w) matrix of which three diagonals are wanted. Matrix products are fast enough to
# compute the rest in vain. Rows of the batch follow each other; what pairs the last row of an image
# with the first of the next is removed.


def _maps_of_rows(feats: Tensor) -> Tensor:
    batch, channels, height, width = feats.shape
    rows = feats.permute(0, 2, 3, 1).reshape(batch * height, width, channels)
    within = torch.bmm(rows, rows.mT)  # (Bh, w, w)
    to_next = torch.bmm(rows[:-1], rows[1:].mT)  # (Bh-1, w, w)
    maps = feats.new_zeros(batch * height, 4, width)
    maps[:, 0] = within.diagonal(0, 1, 2)
    maps[:, 1, :-1] = within.diagonal(1, 1, 2)
    maps[:-1, 2] = to_next.diagonal(0, 1, 2)
    maps[:-1, 3, :-1] = to_next.diagonal(1, 1, 2) + to_next.diagonal(-1, 1, 2)
    return _zero_outside(maps.unflatten(0, (batch, height)).transpose(1, 2))


def _grad_of_rows(feats: Tensor, grad_maps: Tensor) -> Tensor:
    batch, channels, height, width = feats.shape
    rows = feats.permute(0, 2, 3, 1).reshape(batch * height, width, channels)
    square, right, below, diagonal = grad_maps.transpose(0, 1).reshape(4, -1, width)
    beside = torch.diag_embed(right[:, :-1], 1)
    grad = torch.bmm(torch.diag_embed(square) + beside + beside.mT, rows)
    across = torch.diag_embed(diagonal[:, :-1], 1)
    to_next = (torch.diag_embed(below) + across + across.mT)[:-1]  # (Bh-1, w, w)
    grad[:-1].baddbmm_(to_next, rows[1:])
    grad[1:].baddbmm_(to_next.mT, rows[:-1])
    return grad.unflatten(0, (batch, height)).permute(0, 3, 1, 2)
