"""Contexts: what a CAM head does to features before classifying them."""

from mmwsss.models.contexts.centroid_context import CentroidContext
from mmwsss.models.contexts.projected_aggregation import ProjectedAggregation, folded_aggregation
from mmwsss.models.contexts.semantic_aggregation import SemanticAggregation, softmax_aggregation
from mmwsss.models.contexts.threshold_branch import ThresholdBranch

__all__ = [
    'CentroidContext',
    'ProjectedAggregation',
    'SemanticAggregation',
    'ThresholdBranch',
    'folded_aggregation',
    'softmax_aggregation',
]
