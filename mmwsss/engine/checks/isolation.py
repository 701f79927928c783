"""Keeps trial builds from leaving traces: no named instances, no random numbers used."""

import random
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.utils import ManagerMixin

_SILENT = 'trial'


@contextmanager
def without_traces(scope: str) -> Iterator[None]:
    """Let parts be built silently in the registries of a scope, then restore all global state.

    Args:
        scope: Scope of the registries, a config's ``default_scope``.
    """
    managers = {cls: cls._instance_dict.copy() for cls in _managers()}
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    DefaultScope.get_instance(_SILENT, scope_name=scope)
    MMLogger.get_instance(_SILENT, log_level='CRITICAL')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # the warning appears when the stage itself is built
            yield
    finally:
        for cls in _managers():
            cls._instance_dict = managers.get(cls, OrderedDict())
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _managers() -> list[type[Any]]:
    """List the classes that keep named instances: loggers, message hubs, visualizers, scopes."""
    found: list[type[Any]] = []
    pending: list[type[Any]] = [ManagerMixin]
    while pending:
        found += pending
        pending = [child for cls in pending for child in cls.__subclasses__()]
    return found
