"""Losses of objectives, segmentors and affinity networks, and sums over processes for them."""

from mmwsss.models.losses.affinity_loss import AffinityLoss, AffinityLosses, affinity_loss
from mmwsss.models.losses.noise_aware_loss import NoiseAwareLoss, noise_aware_loss
from mmwsss.models.losses.process_sums import sum_over_processes
from mmwsss.models.losses.region_contrast_loss import choose_partners, mixup_contrast
from mmwsss.models.losses.region_cross_entropy_loss import region_cross_entropy
from mmwsss.models.losses.spatial_bce_loss import (
    positive_term,
    predicted_threshold,
    present_rows,
    probability_over_proportion,
    probability_step_loss,
    proportion_kl,
    proportion_threshold,
    threshold_step_loss,
)

__all__ = [
    'AffinityLoss',
    'AffinityLosses',
    'NoiseAwareLoss',
    'affinity_loss',
    'choose_partners',
    'mixup_contrast',
    'noise_aware_loss',
    'positive_term',
    'predicted_threshold',
    'present_rows',
    'probability_over_proportion',
    'probability_step_loss',
    'proportion_kl',
    'proportion_threshold',
    'region_cross_entropy',
    'sum_over_processes',
    'threshold_step_loss',
]
