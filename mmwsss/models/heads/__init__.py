"""Heads of classifiers and segmentors."""

from mmwsss.models.heads.affinity_head import AffinityHead
from mmwsss.models.heads.cam_head import CAMHead
from mmwsss.models.heads.cosine_classifier import CosineClassifier, cosine_logits
from mmwsss.models.heads.large_fov_head import LargeFOVHead
from mmwsss.models.heads.noise_aware_head import (
    NoiseAwareASPPHead,
    NoiseAwareDepthwiseSeparableASPPHead,
    NoiseAwareFCNHead,
    NoiseAwareLargeFOVHead,
)

__all__ = [
    'AffinityHead',
    'CAMHead',
    'CosineClassifier',
    'LargeFOVHead',
    'NoiseAwareASPPHead',
    'NoiseAwareDepthwiseSeparableASPPHead',
    'NoiseAwareFCNHead',
    'NoiseAwareLargeFOVHead',
    'cosine_logits',
]
