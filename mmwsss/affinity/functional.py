"""Affinities of neighbouring cells and their labels, as pure functions of tensors.

Legend: B images, C channels, K offsets of the stencil, h x w feature grid.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmwsss.affinity.stencil import Window, stencil_mask, stencil_windows
from mmwsss.structures import BACKGROUND, IGNORE_INDEX, size_of


class PairMasks(NamedTuple):
    """Disjoint masks of each kind of pair, boolean (B, K, h, w); a pair may be of no kind.

    Attributes:
        background: Both cells are background.
        foreground: Both cells are of the same class.
        negative: The cells have different labels.
    """

    background: Tensor
    foreground: Tensor
    negative: Tensor


def stencil_affinities(feats: Tensor, *, radius: int) -> Tensor:
    r"""Similarity of a cell and each of its neighbours.

    .. math:: a_k(p) = \exp\left(-\frac{1}{C} \sum_c |f_c(p + o_k) - f_c(p)|\right)

    Only one difference of two shifted maps is in memory at a time, even in the backward pass, which
    recomputes them. Memory is therefore a few times that of the features, whatever the number of
    neighbours.

    Args:
        feats: Features f, (B, C, h, w), in any memory format.
        radius: Radius of the stencil in cells; see :func:`stencil_offsets`.

    Returns:
        Affinities in [0, 1], (B, K, h, w), 0 where the neighbour is outside the grid; single
        precision for features in half precision. The gradient of a difference of 0 is 0.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
        Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.2. Differs from the paper,
        as the published code does: the mean over the channels instead of their sum.
    """
    return _StencilAffinities.apply(feats, radius)


class _StencilAffinities(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, feats: Tensor, radius: int) -> Tensor:
        cells = _channels_last(feats)
        num_images, num_channels = cells.shape[:2]
        size = size_of(cells)
        windows = stencil_windows(size, radius=radius)
        # Where there is no pair the distance is infinite, which means no affinity.
        affinities = cells.new_full((num_images, len(windows), *size), torch.inf)
        for k, first, _, difference in _differences(cells, windows):
            affinities[:, k][first] = torch.linalg.vector_norm(difference, 1, dim=1)
        affinities.mul_(-1 / num_channels).exp_()
        ctx.save_for_backward(feats, affinities)
        ctx.windows = windows
        return affinities

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_affinities: Tensor) -> tuple[Tensor, None]:
        feats, affinities = ctx.saved_tensors
        cells = _channels_last(feats)
        grad = torch.zeros_like(cells)
        # Gradient with respect to the sum over channels of the absolute differences.
        grad_distances = (grad_affinities * affinities).mul_(-1 / cells.shape[1])
        for k, first, second, difference in _differences(cells, ctx.windows):
            sign = difference.sign_()
            grad_distance = grad_distances[:, k : k + 1][first]  # (B, 1, h', w')
            grad[second].addcmul_(sign, grad_distance)
            grad[first].addcmul_(sign, grad_distance, value=-1)
        return grad.to(feats.dtype), None


def _channels_last(feats: Tensor) -> Tensor:
    """Features in channels-last memory format, in at least single precision."""
    cells = feats.contiguous(memory_format=torch.channels_last)
    return cells.to(torch.promote_types(cells.dtype, torch.float32))


def _differences(
    cells: Tensor, windows: list[tuple[Window, Window]]
) -> Iterator[tuple[int, Window, Window, Tensor]]:
    """Yield offset, windows and f(second) - f(first), (B, C, h', w'), in a reused buffer."""
    buffer = cells.new_empty(cells.numel())
    for k, (first, second) in enumerate(windows):
        start = cells[first].permute(0, 2, 3, 1)
        difference = buffer[: start.numel()].view(start.shape).permute(0, 3, 1, 2)
        if torch.compiler.is_compiling():  # it allocates tensors itself and cannot trace this `out`
            difference = cells[second] - cells[first]
        else:
            torch.sub(cells[second], cells[first], out=difference)
        yield k, first, second, difference


def pair_masks(labels: Tensor, *, radius: int, official_border: bool = False) -> PairMasks:
    """Sort the pairs of cells by their labels; pairs with an ignored cell are of no kind.

    Args:
        labels: Label of every cell, integer (B, h, w): 0 background, 255 ignored, otherwise a
            number that distinguishes the classes of one image.
        radius: Radius of the stencil in cells.
        official_border: Whether to leave out pairs close to the border; see :func:`stencil_mask`.

    Returns:
        Masks (B, K, h, w) of the pairs of each kind.

    Source:
        As :func:`stencil_affinities`. Differs from the published code, unless
        ``official_border``: no pair of the grid is left out.
    """
    size = size_of(labels)
    first = labels.unsqueeze(1)  # (B, 1, h, w)
    windows = stencil_windows(size, radius=radius)
    second = labels.new_full((len(labels), len(windows), *size), IGNORE_INDEX)
    for k, (window, neighbours) in enumerate(windows):
        second[:, k][window] = labels[neighbours]
    valid = (first != IGNORE_INDEX) & (second != IGNORE_INDEX)
    if official_border:
        valid &= stencil_mask(size, radius=radius, official_border=True, device=labels.device)
    positive = valid & (first == second)
    is_background = first == BACKGROUND
    return PairMasks(positive & is_background, positive & ~is_background, valid & (first != second))
