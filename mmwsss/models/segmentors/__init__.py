"""Segmentors of several scales, in training or in the test."""

from mmwsss.models.segmentors.logit_average_tta import LogitAverageTTA
from mmwsss.models.segmentors.multi_scale_segmentor import MultiScaleSegmentor

__all__ = ['LogitAverageTTA', 'MultiScaleSegmentor']
