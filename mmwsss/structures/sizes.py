"""Sizes of maps."""

from torch import Tensor


def size_of(maps: Tensor) -> tuple[int, int]:
    """Height and width of maps (..., H, W)."""
    height, width = maps.shape[-2:]
    return height, width
