"""Which neighbours a cell of the feature grid is compared with.

Legend: K offsets, h x w feature grid.
"""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=32)
def stencil_offsets(radius: int) -> tuple[tuple[int, int], ...]:
    r"""Half disc of neighbours, so that every unordered pair of cells appears once.

    .. math:: \{(dy, dx): dy^2 + dx^2 < r^2,\ dy > 0 \lor (dy = 0 \land dx > 0)\}

    Args:
        radius: r in cells, at least 2: the four direct neighbours and more.

    Returns:
        K offsets ``(dy, dx)`` in row-major order; 34 for radius 5.

    Raises:
        ValueError: If the radius is below 2, which leaves no pair.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
        Weakly Supervised Semantic Segmentation", CVPR 2018, section 4.2 (the set P, with d < gamma).
    """
    if radius < 2:
        raise ValueError(
            f'radius must be >= 2, got {radius}. It is in cells of the feature grid; the paper '
            'uses 5, and below 2 no cell has a neighbour.'
        )
    reach = range(1 - radius, radius)
    return tuple(
        (dy, dx)
        for dy in range(radius)
        for dx in reach
        if dy**2 + dx**2 < radius**2 and (dy > 0 or dx > 0)
    )


def stencil_mask(
    size: tuple[int, int],
    *,
    radius: int,
    official_border: bool = False,
    device: torch.device | str | None = None,
) -> Tensor:
    """Tell which pairs exist: entry (k, p) is the pair of cell p and cell p + offset k.

    Args:
        size: Height and width (h, w) of the grid; it may be smaller than the radius.
        radius: Radius of the stencil in cells.
        official_border: Leave out the pairs whose first cell is not in rows 0..h-r and columns
            r-1..w-r, as the published code does. Then 14 % of the pairs of a 47 x 63 grid are
            missing, and 10 cells have none.
        device: Where the result is made.

    Returns:
        Boolean (K, h, w), offsets in the order of :func:`stencil_offsets`.

    Source:
        As :func:`stencil_offsets`. Differs from the published code, unless ``official_border``:
        every pair within the grid exists.
    """
    height, width = size
    offsets = stencil_offsets(radius)
    dy, dx = (
        torch.tensor(part, device=device).view(-1, 1, 1) for part in zip(*offsets, strict=True)
    )
    y = torch.arange(height, device=device).view(1, -1, 1)
    x = torch.arange(width, device=device).view(1, 1, -1)
    mask = (y + dy < height) & (x + dx >= 0) & (x + dx < width)  # (K, h, w)
    if official_border:
        mask &= (y <= height - radius) & (x >= radius - 1) & (x <= width - radius)
    return mask
