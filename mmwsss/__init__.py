"""Weakly-supervised semantic segmentation on MMSegmentation."""

from mmwsss import compat
from mmwsss.version import __version__

compat.apply()

__all__ = ['__version__']
