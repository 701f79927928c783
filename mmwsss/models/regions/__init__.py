"""Regions of classes in images, their embeddings, and a memory of embeddings."""

from mmwsss.models.regions.embeddings import Regions, mean_threshold_regions, region_embeddings
from mmwsss.models.regions.memory import RegionMemory
from mmwsss.models.regions.source import RegionSource

__all__ = [
    'RegionMemory',
    'RegionSource',
    'Regions',
    'mean_threshold_regions',
    'region_embeddings',
]
