"""Hooks."""

from mmwsss.engine.hooks.memory_format import ChannelsLastHook

__all__ = ['ChannelsLastHook']
