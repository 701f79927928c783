"""Losses of the segmentation stage, and sums over processes for any loss."""

from mmwsss.models.losses.noise_aware_loss import NoiseAwareLoss, noise_aware_loss
from mmwsss.models.losses.process_sums import sum_over_processes

__all__ = ['NoiseAwareLoss', 'noise_aware_loss', 'sum_over_processes']
