"""Objectives: losses computed from the outputs of a CAM head."""

from mmwsss.models.objectives.erasing_triplet import ErasingTriplet
from mmwsss.models.objectives.mixup_contrast import MixupContrast
from mmwsss.models.objectives.multi_label_soft_margin import MultiLabelSoftMargin
from mmwsss.models.objectives.region_contrast import RegionContrast
from mmwsss.models.objectives.region_cross_entropy import RegionCrossEntropy
from mmwsss.models.objectives.spatial_bce import SpatialBCE
from mmwsss.models.objectives.training_cams import TrainingCAMs

__all__ = [
    'ErasingTriplet',
    'MixupContrast',
    'MultiLabelSoftMargin',
    'RegionContrast',
    'RegionCrossEntropy',
    'SpatialBCE',
    'TrainingCAMs',
]
