"""Class activation maps."""

from mmwsss.cams.functional import activation_maps, max_normalize, min_max_normalize
from mmwsss.cams.multi_scale_cam import MultiScaleCAM

__all__ = ['MultiScaleCAM', 'activation_maps', 'max_normalize', 'min_max_normalize']
