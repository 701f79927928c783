"""Affinities between neighbouring cells of a feature grid."""

from mmwsss.affinity.boundaries import boundary_affinities
from mmwsss.affinity.functional import PairMasks, pair_masks, stencil_affinities
from mmwsss.affinity.labels import affinity_label, block_means, confident_label, grid_label
from mmwsss.affinity.random_walk import random_walk
from mmwsss.affinity.stencil import stencil_mask, stencil_offsets

__all__ = [
    'PairMasks',
    'affinity_label',
    'block_means',
    'boundary_affinities',
    'confident_label',
    'grid_label',
    'pair_masks',
    'random_walk',
    'stencil_affinities',
    'stencil_mask',
    'stencil_offsets',
]
