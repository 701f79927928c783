"""Heads of classifiers and segmentors."""

from mmwsss.models.heads.affinity_head import AffinityHead
from mmwsss.models.heads.boundary_head import BoundaryHead
from mmwsss.models.heads.cam_head import CAMHead
from mmwsss.models.heads.class_branches_head import ClassBranches, ClassBranchesHead
from mmwsss.models.heads.cosine_classifier import CosineClassifier, cosine_logits
from mmwsss.models.heads.deeplabv2_head import DeepLabV2Head
from mmwsss.models.heads.large_fov_head import DilatedLargeFOVHead, LargeFOVHead
from mmwsss.models.heads.noise_aware_head import (
    NoiseAwareASPPHead,
    NoiseAwareDeepLabV2Head,
    NoiseAwareDepthwiseSeparableASPPHead,
    NoiseAwareFCNHead,
    NoiseAwareLargeFOVHead,
)

__all__ = [
    'AffinityHead',
    'BoundaryHead',
    'CAMHead',
    'ClassBranches',
    'ClassBranchesHead',
    'CosineClassifier',
    'DeepLabV2Head',
    'DilatedLargeFOVHead',
    'LargeFOVHead',
    'NoiseAwareASPPHead',
    'NoiseAwareDeepLabV2Head',
    'NoiseAwareDepthwiseSeparableASPPHead',
    'NoiseAwareFCNHead',
    'NoiseAwareLargeFOVHead',
    'cosine_logits',
]
