"""Wrappers of mmseg's segmentors."""

from mmwsss.models.segmentors.logit_average_tta import LogitAverageTTA

__all__ = ['LogitAverageTTA']
