"""Refiners, which turn scores into better scores."""

from mmwsss.pseudo_labels.refiners.boundary_walk import BoundaryWalk
from mmwsss.pseudo_labels.refiners.box_refiners import BoxConstraint, SoftmaxInBoxes
from mmwsss.pseudo_labels.refiners.dense_crf import DenseCRF
from mmwsss.pseudo_labels.refiners.pixel_adaptive import PixelAdaptiveRefinement
from mmwsss.pseudo_labels.refiners.random_walk import RandomWalk
from mmwsss.pseudo_labels.refiners.retrieval import RetrievalRefiner
from mmwsss.pseudo_labels.refiners.saliency import SaliencyBackground

__all__ = [
    'BoundaryWalk',
    'BoxConstraint',
    'DenseCRF',
    'PixelAdaptiveRefinement',
    'RandomWalk',
    'RetrievalRefiner',
    'SaliencyBackground',
    'SoftmaxInBoxes',
]
