"""Maps to a grid of square cells, and back to the size of the image."""

import torch.nn.functional as F
from torch import Tensor


def grid_means(maps: Tensor, stride: int) -> Tensor:
    """Mean of every cell over the pixels inside the map; the last cells may reach beyond it.

    Args:
        maps: Maps at full resolution, (n, H, W).
        stride: Pixels per cell, on each axis.

    Returns:
        (n, ceil(H / stride), ceil(W / stride)).
    """
    return F.avg_pool2d(maps, stride, ceil_mode=True, count_include_pad=False)


def from_grid(maps: Tensor, stride: int, size: tuple[int, int]) -> Tensor:
    """Enlarge maps bilinearly, (n, h, w) -> (n, h stride, w stride), and crop them to (n, H, W)."""
    enlarged = F.interpolate(maps[None], scale_factor=stride, mode='bilinear', align_corners=False)
    return enlarged[0, :, : size[0], : size[1]]
