"""Regions of classes in images: their embeddings, and a memory of those."""

from mmwsss.models.regions.embeddings import Regions, mean_threshold_regions, region_embeddings
from mmwsss.models.regions.memory import RegionMemory

__all__ = ['RegionMemory', 'Regions', 'mean_threshold_regions', 'region_embeddings']
