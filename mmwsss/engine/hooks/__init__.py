"""Hooks."""

from mmwsss.engine.hooks.alternating_phase_hook import AlternatingPhaseHook
from mmwsss.engine.hooks.checkpoint_hook import CheckpointHook
from mmwsss.engine.hooks.collapse_hook import CollapseHook
from mmwsss.engine.hooks.invalid_loss_hook import InvalidLossHook
from mmwsss.engine.hooks.memory_format import ChannelsLastHook
from mmwsss.engine.hooks.progress_hook import ProgressHook
from mmwsss.engine.hooks.region_centroids_hook import RegionCentroidsHook
from mmwsss.engine.hooks.region_entries_hook import RegionEntriesHook
from mmwsss.engine.hooks.start_objective_hook import StartObjectiveHook
from mmwsss.engine.hooks.training_cams_hook import TrainingCAMsHook

__all__ = [
    'AlternatingPhaseHook',
    'ChannelsLastHook',
    'CheckpointHook',
    'CollapseHook',
    'InvalidLossHook',
    'ProgressHook',
    'RegionCentroidsHook',
    'RegionEntriesHook',
    'StartObjectiveHook',
    'TrainingCAMsHook',
]
