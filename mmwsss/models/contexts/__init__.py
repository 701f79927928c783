"""Contexts: what a CAM head does to features before they are classified."""

from mmwsss.models.contexts.threshold_branch import ThresholdBranch

__all__ = ['ThresholdBranch']
