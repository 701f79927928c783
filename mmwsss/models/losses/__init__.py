"""Losses of the segmentation stage."""

from mmwsss.models.losses.noise_aware_loss import NoiseAwareLoss, noise_aware_loss

__all__ = ['NoiseAwareLoss', 'noise_aware_loss']
