"""Contexts: what a CAM head does to features before they are classified."""

from mmwsss.models.contexts.semantic_aggregation import (
    SemanticAggregation,
    folded_aggregation,
    softmax_aggregation,
)
from mmwsss.models.contexts.threshold_branch import ThresholdBranch

__all__ = [
    'SemanticAggregation',
    'ThresholdBranch',
    'folded_aggregation',
    'softmax_aggregation',
]
