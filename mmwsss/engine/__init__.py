"""What runs training, label generation and pipelines."""

import mmseg.engine  # noqa: F401  (a registry does not import the locations of its parent)

from mmwsss.engine import hooks, labels

__all__ = ['hooks', 'labels']
