"""Affinities between neighbouring cells of a feature grid."""

from mmwsss.affinity.labels import affinity_label, block_means
from mmwsss.affinity.stencil import stencil_mask, stencil_offsets

__all__ = ['affinity_label', 'block_means', 'stencil_mask', 'stencil_offsets']
