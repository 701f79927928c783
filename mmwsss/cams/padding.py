"""Cuts the padding of an image from the maps of its feature grid.

Legend: h x w feature grid, H x W pixels of the padded image.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Padding(NamedTuple):
    """Pixels added on each side, in the order of mmseg and ``F.pad``."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    @property
    def mirrored(self) -> 'Padding':
        """The padding after a horizontal flip."""
        return Padding(self.right, self.left, self.top, self.bottom)


def crop_padding(
    maps: Tensor, size: tuple[int, int], padding: Padding, *, align_corners: bool = False
) -> Tensor:
    """Sample the part of the maps of a padded image that belongs to the image itself.

    Where the image covers whole cells of the grid, this is a crop. Where its border lies within a
    cell, values are interpolated at as many positions as the image has whole or partial cells. The
    result is therefore not shifted when it is resized to the image.

    Args:
        maps: Maps of the whole padded image, (B, C, h, w).
        size: Height and width (H, W) of the padded image.
        padding: Pixels added to the image.
        align_corners: Whether the outermost cells lie on the corners of the padded image.

    Returns:
        Maps of the image without its padding, (B, C, h', w'), in the type of ``maps``.
    """
    rows = _positions(
        maps.shape[-2], size[0], padding.top, padding.bottom, align_corners, maps.device
    )
    columns = _positions(
        maps.shape[-1], size[1], padding.left, padding.right, align_corners, maps.device
    )
    return _interpolate(_interpolate(maps, rows, dim=-2), columns, dim=-1)


def _positions(
    cells: int, length: int, before: int, after: int, align_corners: bool, device: torch.device
) -> Tensor:
    """Sampling positions of the image along one side, in coordinates of cell centres."""
    inside = length - before - after
    count = max(-(-cells * inside // length), 1)
    steps = torch.arange(count, device=device, dtype=torch.float64)
    if align_corners:
        pixels = before + steps * (inside - 1) / max(count - 1, 1)
        return pixels * (cells - 1) / max(length - 1, 1)
    # Centres of `count` equal parts of the image; the centre of cell i is (i + 0.5) cells away.
    return (before + (steps + 0.5) * inside / count) * cells / length - 0.5


def _interpolate(maps: Tensor, positions: Tensor, dim: int) -> Tensor:
    """Sample maps linearly along a dimension; they are constant beyond the outermost centres."""
    last = maps.shape[dim] - 1
    positions = positions.clamp(0, last)
    low = positions.floor().long()
    share = (positions - low).to(maps.dtype)
    share = share if dim == -1 else share.unsqueeze(-1)
    before = maps.index_select(dim, low)
    return torch.lerp(before, maps.index_select(dim, (low + 1).clamp(max=last)), share)
