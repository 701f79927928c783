"""Segmentors that use several scales in training or testing."""

from mmwsss.models.segmentors.logit_average_tta import LogitAverageTTA
from mmwsss.models.segmentors.multi_scale_segmentor import MultiScaleSegmentor

__all__ = ['LogitAverageTTA', 'MultiScaleSegmentor']
