"""Affinities of cells that boundaries may separate, as pure functions of tensors.

Legend: B images, K offsets of the stencil, h x w feature grid.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmwsss.affinity.paths import CELL, path_pieces
from mmwsss.affinity.stencil import Window, stencil_offsets, stencil_windows
from mmwsss.structures import size_of


def boundary_affinities(edge: Tensor, *, radius: int) -> Tensor:
    r"""Absence of a boundary between a cell and each of its neighbours.

    .. math:: a_k(p) = 1 - \max_{q \in \Pi_k} e(p + q)

    with the path of :func:`~mmwsss.affinity.paths.path_cells`. Because paths share their parts, 27
    maxima of two maps are enough for the 242 cells of radius 5, and 159 for the 2134 of radius 10.
    The backward pass works the same way and needs only the affinities. If several cells attain the
    maximum, one of them gets the gradient.

    Args:
        edge: Boundary probability of every cell, e, (B, 1, h, w).
        radius: Radius of the stencil in cells; see :func:`stencil_offsets`.

    Returns:
        Affinities (B, K, h, w), 0 where the neighbour is outside the grid; single precision for
        probabilities in half precision.

    Source:
        Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel
        Relations", CVPR 2019, Sec. 3.3.
    """
    return _BoundaryAffinities.apply(edge, radius)


class _BoundaryAffinities(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, edge: Tensor, radius: int) -> Tensor:
        # Rounding keeps the order, so 1 minus the maximum is the minimum of the complements.
        clear = 1 - edge[:, 0].to(torch.promote_types(edge.dtype, torch.float32))
        affinities = clear.new_zeros(len(edge), len(stencil_offsets(radius)), *size_of(edge))
        for k, path, pieces in _in_order(size_of(edge), radius):
            (source, part), *others = pieces
            target = affinities[:, k][path]
            target.copy_(_of(source, affinities, clear)[part])
            for source, part in others:
                target.clamp_max_(_of(source, affinities, clear)[part])
        ctx.save_for_backward(clear, affinities)
        ctx.radius, ctx.dtype = radius, edge.dtype
        return affinities

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_affinities: Tensor) -> tuple[Tensor, None]:
        clear, affinities = ctx.saved_tensors
        grads, grad_clear = grad_affinities.clone(), torch.zeros_like(clear)
        for k, path, pieces in reversed(list(_in_order(size_of(clear), ctx.radius))):
            rest, value = grads[:, k][path], affinities[:, k][path]
            *others, (last, last_part) = pieces
            for source, part in others:
                holds = _of(source, affinities, clear)[part] == value
                _of(source, grads, grad_clear)[part].addcmul_(rest, holds.to(rest.dtype))
                rest = rest.masked_fill(holds, 0)
            _of(last, grads, grad_clear)[last_part].add_(rest)
        return -grad_clear.unsqueeze(1).to(ctx.dtype), None


def _of(source: int, maps: Tensor, single: Tensor) -> Tensor:
    """Map (B, h, w) of one offset, or of single cells."""
    return single if source == CELL else maps[:, source]


def _in_order(
    size: tuple[int, int], radius: int
) -> Iterator[tuple[int, Window, list[tuple[int, Window]]]]:
    """Yield each offset, the cells with such a neighbour, and where to read its pieces."""
    windows = stencil_windows(size, radius=radius)
    for k, pieces in path_pieces(radius):
        dots, rows, columns = windows[k][0]
        if rows.start < rows.stop and columns.start < columns.stop:
            parts = [
                (source, (dots, _moved(rows, y), _moved(columns, x))) for source, (y, x) in pieces
            ]
            yield k, (dots, rows, columns), parts


def _moved(cells: slice, shift: int) -> slice:
    return slice(cells.start + shift, cells.stop + shift)
