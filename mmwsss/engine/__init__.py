"""What runs training, label generation and pipelines."""

import mmseg.engine  # noqa: F401  (a registry does not import the locations of its parent)

from mmwsss.engine import hooks, labels
from mmwsss.engine.segmentor_test_loop import SegmentorTestLoop

__all__ = ['SegmentorTestLoop', 'hooks', 'labels']
