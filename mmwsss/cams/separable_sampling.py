"""Bilinear sampling on separable grids, and the norm of sampled features without sampling them.

A grid formed by all pairs of some rows and some columns is sampled by two small matrices,
``F = rows @ f @ cols^T``. Quantities that are linear in the features can therefore be reduced to a
few channels first and sampled afterwards. The one non-linear quantity, the norm of the sampled
feature vector, needs only products of neighbouring features; see :func:`sampled_square_norm`.

Legend: B images, C channels, h x w feature map, n x m sampled points.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class NeighbourProducts(NamedTuple):
    """Inner products over channels of neighbouring features, four maps (B, h, w).

    Entries whose neighbour lies outside the map are 0.

    Attributes:
        square: f(y, x) . f(y, x).
        right: f(y, x) . f(y, x+1).
        below: f(y, x) . f(y+1, x).
        diagonal: f(y, x) . f(y+1, x+1) + f(y, x+1) . f(y+1, x). Bilinear sampling weights both
            diagonals of a square of four features equally, so their sum is enough.
    """

    square: Tensor
    right: Tensor
    below: Tensor
    diagonal: Tensor


def source_positions(coords: Tensor, size: int, *, corner_aligned: bool) -> Tensor:
    """Turn normalised coordinates in [-1, 1] into positions on an axis of ``size`` entries.

    With ``corner_aligned``, -1 and 1 are the centres of the first and the last entry, and the
    position is ``(X+1)(size-1)/2``. Otherwise they are the outer borders of these entries, and it
    is ``((X+1)size-1)/2``.

    Args:
        coords: Normalised coordinates X, any shape.
        size: Number of entries of the axis.
        corner_aligned: Which of the two conventions to use; the ``align_corners`` of PyTorch.

    Returns:
        Positions u of the same shape; entry i is at u = i.
    """
    if corner_aligned:
        return (coords + 1) * ((size - 1) / 2)
    return ((coords + 1) * size - 1) / 2


def bilinear_matrix(positions: Tensor, size: int) -> Tensor:
    """Weights ``max(0, 1 - |u - i|)`` that sample an axis of ``size`` entries at positions u.

    The axis is surrounded by zeros: a point less than one step outside the border is attenuated,
    and one farther away has only zero weights.

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

    Both memory formats are supported without a copy, and only the features are kept for the
    backward pass. Half precision is computed in single precision.

    Args:
        feats: Features (B, C, h, w).

    Returns:
        Four maps (B, h, w).
    """
    with torch.autocast(feats.device.type, enabled=False):
        return NeighbourProducts(*_NeighbourProductsFunction.apply(feats))


def sampled_square_norm(products: NeighbourProducts, rows: Tensor, cols: Tensor) -> Tensor:
    """Squared norm of bilinearly sampled features, exact, without sampling any feature.

    At a point with row weights r and column weights c, ``F = sum_yx r_y c_x f(y, x)``. Bilinear
    weights have at most two entries, next to each other, so ``|F|^2`` is the sum of
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
    def forward(ctx: Any, feats: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(feats)
        return neighbour_maps(feats).unbind(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_maps: Tensor) -> Tensor:
        (feats,) = ctx.saved_tensors
        return neighbour_maps_grad(feats, torch.stack(grad_maps, dim=1)).to(feats.dtype)


# The positions of an image are stored one after the other, so a neighbour is a constant shift along
# them. Pairs that wrap around at the end of a row are removed later from the maps, which are small.
# The products of a row of positions with a window of rows form one matrix, of which only a few
# diagonals are needed. A matrix product is so much faster than sums of shifted products that
# computing the rest in vain still pays off. The windows overlap, so they are views of one image and
# not of a batch; a single image also stays in the cache of a CPU.


def neighbour_maps(feats: Tensor) -> Tensor:
    """Maps of :class:`NeighbourProducts` in its order, (B, 4, h, w), without autograd."""
    feats = _at_least_single(feats)
    maps = feats.new_empty(feats.shape[0], 4, *feats.shape[2:])
    for image, image_maps in zip(feats.flatten(2).mT, maps, strict=True):
        _write_maps(image, image_maps)
    return _zero_outside(maps)


def neighbour_maps_grad(feats: Tensor, grad_maps: Tensor) -> Tensor:
    """Gradient of :func:`neighbour_maps`, (B, C, h, w), from that of the maps (B, 4, h, w)."""
    feats = _at_least_single(feats)
    # A layout in which the positions of an image have a single stride, whatever the features have.
    channels_last = feats.is_contiguous(memory_format=torch.channels_last)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    grad = torch.empty_like(feats, memory_format=memory_format)
    bands = _bands(_zero_outside(grad_maps.to(feats.dtype, copy=True)))
    images = feats.flatten(2).mT, bands, grad.flatten(2).mT
    for image, band, image_grad in zip(*images, strict=True):
        _write_grad(image, band, image_grad)
    return grad


def _at_least_single(feats: Tensor) -> Tensor:
    return feats if feats.dtype == torch.float64 else feats.float()


def _zero_outside(maps: Tensor) -> Tensor:
    """Zero, in place, the entries of (B, 4, h, w) whose neighbour would lie outside the map."""
    maps[:, 1, :, -1] = 0
    maps[:, 2, -1] = 0
    maps[:, 3, :, -1] = 0
    maps[:, 3, -1] = 0
    return maps


def _write_maps(image: Tensor, maps: Tensor) -> None:
    """Write the maps (4, h, w) for the positions of an image (hw, C), wrapped pairs included."""
    height, width = maps.shape[1:]
    last = image[-width:]
    maps[0, -1] = last.square().sum(dim=1)
    maps[1, -1, :-1] = (last[:-1] * last[1:]).sum(dim=1)
    if height == 1:
        return
    rows = image[:-width].unflatten(0, (height - 1, width))
    products = rows @ image.unfold(0, 2 * width, width)  # (h-1, w, 2w), with two rows from each
    maps[0, :-1] = products.diagonal(0, 1, 2)
    maps[1, :-1] = products.diagonal(1, 1, 2)
    maps[2, :-1] = products.diagonal(width, 1, 2)
    falling, rising = (products.diagonal(width + shift, 1, 2) for shift in (1, -1))
    maps[3, :-1, :-1] = falling + rising[:, 1:]


def _bands(grad_maps: Tensor) -> Tensor:
    """Factors of the gradient of every row of positions, from the row above to that below.

    This is the matrix of row y for w = 4. Each line is a position (y, x), each column the feature
    that the factor belongs to. s, r, b and d are the gradients of square, right, below and diagonal
    at x in row y, and B and D those of below and diagonal in row y-1::

              features of row y-1 |  features of row y  | features of row y+1
        x=0    B0   D0   .    .   | 2s0   r0   .    .   |  b0   d0   .    .
        x=1    D0   B1   D1   .   |  r0  2s1   r1   .   |  d0   b1   d1   .
        x=2    .    D1   B2   D2  |  .    r1  2s2   r2  |  .    d1   b2   d2
        x=3    .    .    D2   B3  |  .    .    r2  2s3  |  .    .    d2   b3

    Args:
        grad_maps: Gradient of the maps (B, 4, h, w), zero where a pair wraps around.

    Returns:
        Matrices (B, h, w, 3w), to be multiplied by the features of three rows of positions.
    """
    batch, _, height, width = grad_maps.shape
    # A pair contributes to both of its features, with the other one as the factor. A position finds
    # its factor for the feature at ``shift`` in the map of the pair, ``back`` positions earlier.
    pairs = (  # map, back, shift
        (0, 0, 0),
        (0, 0, 0),  # both features of a square are the same
        (1, 0, 1),
        (1, 1, -1),
        (2, 0, width),
        (2, width, -width),
        (3, 0, width + 1),
        (3, width + 1, -width - 1),
        (3, 1, width - 1),  # the rising diagonal joins p + 1 and p + width
        (3, width, 1 - width),
    )
    band = grad_maps.new_zeros(batch, height, width, 3 * width)
    padded = torch.nn.functional.pad(grad_maps.flatten(2), (width + 1, 0))
    for index, back, shift in pairs:
        factors = padded[:, index].narrow(1, width + 1 - back, height * width)
        diagonal = band.diagonal(width + shift, 2, 3)
        # The outermost diagonals lack an entry, at the end of a row where the factor is zero.
        first = int(width + shift < 0)
        factors = factors.unflatten(1, (height, width))
        diagonal += factors[..., first : first + diagonal.shape[-1]]
    return band


def _write_grad(image: Tensor, band: Tensor, grad: Tensor) -> None:
    """Write the gradient (hw, C) of an image from its features (hw, C) and bands (h, w, 3w)."""
    height, width = band.shape[:2]
    ends = image[: 2 * width], image[-2 * width :]
    _write_product(band[0, :, width : width + len(ends[0])], ends[0], grad[:width])
    if height > 1:
        _write_product(band[-1, :, : 2 * width], ends[1], grad[-width:])
    if height > 2:
        inner = grad[width:-width].unflatten(0, (height - 2, width))
        _write_product(band[1:-1], image.unfold(0, 3 * width, width).mT, inner)


def _write_product(first: Tensor, second: Tensor, out: Tensor) -> None:
    """Write a matrix product to ``out``; torch.compile can only trace one that it allocates."""
    if torch.compiler.is_compiling():
        out.copy_(first @ second)
    else:
        torch.matmul(first, second, out=out)
