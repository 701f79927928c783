"""Affinities between neighbouring cells of a feature grid."""

from mmwsss.affinity.stencil import stencil_mask, stencil_offsets

__all__ = ['stencil_mask', 'stencil_offsets']
