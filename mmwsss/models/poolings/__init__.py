"""Poolings: which parts of a score map are compared with the weak labels."""

from mmwsss.models.poolings.background_aware_pooling import BackgroundAwarePooling
from mmwsss.models.poolings.gated_pyramid_pooling import GatedPyramidPooling
from mmwsss.models.poolings.global_average_pooling import GlobalAveragePooling

__all__ = ['BackgroundAwarePooling', 'GatedPyramidPooling', 'GlobalAveragePooling']
