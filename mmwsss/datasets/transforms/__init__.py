"""Transforms for images with weak labels."""

from mmwsss.datasets.transforms.affinity_labels import AffinityLabels, LoadConfidentScores
from mmwsss.datasets.transforms.color_jitter import BrightnessContrastSaturation
from mmwsss.datasets.transforms.formatting import PackWeakInputs
from mmwsss.datasets.transforms.grid_labels import GridLabels
from mmwsss.datasets.transforms.loading import (
    LoadAnnotations,
    LoadImage,
    LoadPseudoLabels,
    LoadWeakAnnotations,
    background_mask_from_boxes,
    read_image,
    read_label_map,
)
from mmwsss.datasets.transforms.pad_random_crop import PadRandomCrop, clip_boxes, pad_symmetric
from mmwsss.datasets.transforms.place_random_crop import PlaceRandomCrop, place
from mmwsss.datasets.transforms.rescaling import RandomBoxScale, RandomLongSide, rescale

__all__ = [
    'AffinityLabels',
    'BrightnessContrastSaturation',
    'GridLabels',
    'LoadAnnotations',
    'LoadConfidentScores',
    'LoadImage',
    'LoadPseudoLabels',
    'LoadWeakAnnotations',
    'PackWeakInputs',
    'PadRandomCrop',
    'PlaceRandomCrop',
    'RandomBoxScale',
    'RandomLongSide',
    'background_mask_from_boxes',
    'clip_boxes',
    'pad_symmetric',
    'place',
    'read_image',
    'read_label_map',
    'rescale',
]
