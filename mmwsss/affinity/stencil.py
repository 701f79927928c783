"""The neighbours that a cell of the feature grid is compared with.

Legend: K offsets, h x w feature grid.
"""

from functools import lru_cache
from types import EllipsisType

import torch
from torch import Tensor

Window = tuple[EllipsisType, slice, slice]


@lru_cache(maxsize=32)
def stencil_offsets(radius: int) -> tuple[tuple[int, int], ...]:
    r"""Half disc of neighbours, so that every unordered pair of cells appears once.

    .. math:: \{(dy, dx): dy^2 + dx^2 < r^2,\ dy > 0 \lor (dy = 0 \land dx > 0)\}

    Args:
        radius: r in cells, at least 2, which gives just the eight surrounding cells.

    Returns:
        K offsets ``(dy, dx)`` in row-major order; 34 for radius 5.

    Raises:
        ValueError: If the radius is below 2, which leaves no pair.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
        Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.2, the set P.
    """
    if radius < 2:
        raise ValueError(
            f'radius must be >= 2 cells of the feature grid, got {radius}, with which no cell has '
            'a neighbour. The paper uses 5.'
        )
    return tuple(
        (dy, dx)
        for dy in range(radius)
        for dx in range(1 - radius, radius)
        if dy**2 + dx**2 < radius**2 and (dy > 0 or dx > 0)
    )


def stencil_windows(size: tuple[int, int], *, radius: int) -> list[tuple[Window, Window]]:
    """Slices of a map that hold the first and the second cells of the pairs of each offset.

    For maps (..., h, w), ``maps[first]`` and ``maps[second]`` have the same size. They are empty if
    the map is smaller than the offset.

    Args:
        size: Height and width (h, w) of the grid.
        radius: Radius of the stencil in cells.

    Returns:
        K pairs ``(first, second)``, in the order of :func:`stencil_offsets`.
    """
    height, width = size
    windows = []
    for dy, dx in stencil_offsets(radius):
        left, right = max(-dx, 0), max(dx, 0)
        first = ..., slice(0, max(height - dy, 0)), slice(left, max(width - right, 0))
        second = ..., slice(dy, height), slice(right, max(width - left, 0))
        windows.append((first, second))
    return windows


def stencil_mask(
    size: tuple[int, int],
    *,
    radius: int,
    official_border: bool = False,
    device: torch.device | str | None = None,
) -> Tensor:
    """Mark the pairs that exist: entry (k, p) is the pair of cell p and cell p + offset k.

    Args:
        size: Height and width (h, w) of the grid; it may be smaller than the radius.
        radius: Radius r of the stencil in cells.
        official_border: Whether to leave out the pairs whose first cell is not in rows 0..h-r and
            columns r-1..w-r, as the published code does. With radius 5 this drops 14 % of the pairs
            of a 47 x 63 grid, and leaves 10 cells of any grid without a pair.
        device: Device of the result.

    Returns:
        Boolean (K, h, w), offsets in the order of :func:`stencil_offsets`.

    Source:
        As :func:`stencil_offsets`. Differs from the published code, unless ``official_border``:
        every pair within the grid exists.
    """
    height, width = size
    windows = stencil_windows(size, radius=radius)
    mask = torch.zeros(len(windows), height, width, dtype=torch.bool, device=device)
    for k, (first, _) in enumerate(windows):
        mask[k][first] = True
    if official_border:
        mask[:, max(height - radius + 1, 0) :] = False
        mask[:, :, : radius - 1] = False
        mask[:, :, max(width - radius + 1, 0) :] = False
    return mask
