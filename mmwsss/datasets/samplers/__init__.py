"""Samplers, which decide what images meet in a batch."""

from mmwsss.datasets.samplers.disjoint_pair_sampler import DisjointPairSampler

__all__ = ['DisjointPairSampler']
