"""Registries of mmwsss: one child for every registry node of MMSegmentation.

A plain name is looked up in mmwsss, then mmseg, then mmengine. A sibling is reached by its prefix
(``mmpretrain.MobileNetV2``). With mmengine's nodes as parents, mmseg's own sub-configs would fail.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

from mmengine.registry import Registry
from mmseg import registry as mmseg_registry

from mmwsss.structures.errors import UserInputError

# Packages whose modules register themselves. Importing one also imports mmseg's counterpart,
# because a registry does not import the locations of its parents.
_LOCATIONS = {
    'HOOKS': 'mmwsss.engine',
    'LOOPS': 'mmwsss.engine',
    'DATASETS': 'mmwsss.datasets',
    'DATA_SAMPLERS': 'mmwsss.datasets',
    'TRANSFORMS': 'mmwsss.datasets',
    'MODELS': 'mmwsss.models',
    'MODEL_WRAPPERS': 'mmwsss.models',
    'WEIGHT_INITIALIZERS': 'mmwsss.models',
    'OPTIMIZERS': 'mmwsss.engine',
    'OPTIM_WRAPPERS': 'mmwsss.engine',
    'OPTIM_WRAPPER_CONSTRUCTORS': 'mmwsss.engine',
    'PARAM_SCHEDULERS': 'mmwsss.engine',
    'METRICS': 'mmwsss.evaluation',
    'EVALUATOR': 'mmwsss.evaluation',
    'TASK_UTILS': 'mmwsss.pseudo_labels',
    'VISUALIZERS': 'mmwsss.visualization',
    'VISBACKENDS': 'mmwsss.visualization',
}


def type_name(config: dict) -> str | None:
    """Return the bare class name of the component in a config, without a scope."""
    kind = config.get('type')
    name = getattr(kind, '__name__', kind)
    return name.rpartition('.')[2] if isinstance(name, str) else None


def find_class(config: dict, registry: Registry) -> type | None:
    """Find the class that a config names; None if there is no such class."""
    kind = config.get('type')
    found = registry.get(kind) if isinstance(kind, str) else kind
    return found if isinstance(found, type) else None


def _child(node: str) -> Registry:
    parent = getattr(mmseg_registry, node)
    locations = [_LOCATIONS[node]] if node in _LOCATIONS else []
    build = _check_before(parent.build_func)
    return Registry(
        parent.name, build_func=build, parent=parent, scope='mmwsss', locations=locations
    )


def _check_before(build: Callable) -> Callable:
    """Refuse a component with a NaN or infinite option: range checks do not catch NaN."""

    def checked(cfg: dict | None, *args: Any, **kwargs: Any) -> Any:
        for option, value in _numbers(cfg):
            if not math.isfinite(value):
                kind = cfg.get('type')  # type: ignore[union-attr]  # None has no numbers
                raise UserInputError(
                    f'{getattr(kind, "__name__", kind)}: {option} = {value} is not a finite '
                    'number. Correct this option in the config.'
                )
        return build(cfg, *args, **kwargs)

    return checked


def _numbers(node: object, key: str = '') -> Iterator[tuple[str, float]]:
    if isinstance(node, float):
        yield key, node
    elif isinstance(node, dict):
        for name, child in node.items():
            yield from _numbers(child, f'{key}.{name}' if key else str(name))
    elif isinstance(node, list | tuple):
        for index, child in enumerate(node):
            yield from _numbers(child, f'{key}.{index}')


RUNNERS = _child('RUNNERS')
RUNNER_CONSTRUCTORS = _child('RUNNER_CONSTRUCTORS')
LOOPS = _child('LOOPS')
HOOKS = _child('HOOKS')
DATASETS = _child('DATASETS')
DATA_SAMPLERS = _child('DATA_SAMPLERS')
TRANSFORMS = _child('TRANSFORMS')
MODELS = _child('MODELS')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS')
WEIGHT_INITIALIZERS = _child('WEIGHT_INITIALIZERS')
OPTIMIZERS = _child('OPTIMIZERS')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS')
PARAM_SCHEDULERS = _child('PARAM_SCHEDULERS')
METRICS = _child('METRICS')
EVALUATOR = _child('EVALUATOR')
TASK_UTILS = _child('TASK_UTILS')
VISUALIZERS = _child('VISUALIZERS')
VISBACKENDS = _child('VISBACKENDS')
LOG_PROCESSORS = _child('LOG_PROCESSORS')
INFERENCERS = _child('INFERENCERS')
