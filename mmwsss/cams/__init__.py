"""Class activation maps."""

from mmwsss.cams.functional import (
    activation_maps,
    max_normalize,
    mean_sigmoid,
    min_max_normalize,
    resized_mean,
)
from mmwsss.cams.multi_scale_cam import MultiScaleCAM

__all__ = [
    'MultiScaleCAM',
    'activation_maps',
    'max_normalize',
    'mean_sigmoid',
    'min_max_normalize',
    'resized_mean',
]
