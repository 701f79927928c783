"""Data sets with weak labels, and their transforms."""

import mmseg.datasets  # noqa: F401  (a registry does not import the locations of its parent)

from mmwsss.datasets import samplers, transforms
from mmwsss.datasets.custom import CustomWeakDataset
from mmwsss.datasets.shapes import ShapesWeakDataset
from mmwsss.datasets.voc import VOCWeakDataset

__all__ = ['CustomWeakDataset', 'ShapesWeakDataset', 'VOCWeakDataset', 'samplers', 'transforms']
