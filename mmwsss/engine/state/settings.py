"""Normalises the settings of a config: settings with the same meaning become equal."""

import functools
import inspect
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmwsss import registry
from mmwsss.datasets.description import DataDescription
from mmwsss.registry import type_name
from mmwsss.structures import Checked

# Settings that change how a stage runs but not what it produces.
_INDIFFERENT = {
    'num_workers',
    'out_dir',
    'overwrite',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
    'val_begin',
    'val_interval',
}
# Locations of data, which count by their content.
_PLACES = {
    'ann_file',
    'data_prefix',
    'data_root',
    'label_file',
    'mask_classes',
    'mask_others',
    'missing_annotation',
    'missing_seg_map',
    'proportion_file',
    'split',
    'true_masks',
}
_OWN_DATA = 'CustomWeakDataset'
# Sources of a network's initial weights; loading a checkpoint replaces all of them.
_FIRST_WEIGHTS = {'init_cfg', 'pretrained'}
_FOLDER_KEYS = {'dir', 'folder', 'path', 'root'}
# Default hooks that only show or save, and those that every training has.
_USUAL_HOOKS = {
    'CheckpointHook',
    'DistSamplerSeedHook',
    'InvalidLossHook',
    'IterTimerHook',
    'LoggerHook',
    'ParamSchedulerHook',
    'RuntimeInfoHook',
    'SegVisualizationHook',
    'VisualizationHook',
}
# Hooks whose removal changes a training.
_NEEDED_HOOKS = {'param_scheduler', 'sampler_seed'}
# Callables that receive settings without a type.
_TAKEN_BY = {
    'randomness': Runner.set_randomness,
    'test_dataloader': DataLoader,
    'train_dataloader': DataLoader,
    'val_dataloader': DataLoader,
}
_COMMON = (
    'custom_hooks',
    'data_preprocessor',
    'default_hooks',
    'default_scope',
    'model',
    'randomness',
)
_DECISIVE = {
    'train': (
        *_COMMON,
        'auto_scale_lr',
        'load_from',
        'load_new',
        'optim_wrapper',
        'param_scheduler',
        'sync_bn',
        'train_cfg',
        'train_dataloader',
        'val_cfg',
        'val_dataloader',
        'val_evaluator',
    ),
    'test': (*_COMMON, 'load_from', 'test_cfg', 'test_dataloader', 'test_evaluator'),
}
# Data loaders that a task reads.
LOADERS = {'train': ('train_dataloader', 'val_dataloader'), 'test': ('test_dataloader',)}


def decisive_settings(config: dict, task: str, *, tta: bool = False) -> dict[str, Any]:
    """Pick the settings that determine the result of a stage, as plain values by top-level key.

    Settings that equal the defaults of their component are left out, so it does not matter whether
    a config spells them out. Settings of other tasks and locations of data are also left out.

    Args:
        config: The stage's config.
        task: ``'train'`` or ``'test'``.
        tta: Whether the test uses ``tta_model`` and ``tta_pipeline``.
    """
    keys = (*_DECISIVE[task], *(('tta_model', 'tta_pipeline') if tta else ()))
    chosen = {key: config[key] for key in keys if config.get(key)}
    if 'default_hooks' in chosen:
        hooks = chosen['default_hooks'].items()
        chosen['default_hooks'] = {name: hook for name, hook in hooks if _decides(name, hook)}
    if 'optim_wrapper' in chosen:
        chosen['optim_wrapper'] = {'type': 'OptimWrapper', **chosen['optim_wrapper']}
    if not chosen.get('auto_scale_lr', {}).get('enable'):
        chosen.pop('auto_scale_lr', None)
    for loader in LOADERS[task]:
        if loader in chosen:
            chosen[loader] = _with_class_names(without_keys(chosen[loader], _PLACES))
    if task == 'test':
        chosen = without_keys(chosen, _FIRST_WEIGHTS)
    plain = {k: plain_settings(v, kind=_TAKEN_BY.get(k)) for k, v in chosen.items()}
    return {key: value for key, value in plain.items() if value not in (None, {}, [])}


def _decides(name: str, hook: dict | None) -> bool:
    """Tell if a default hook changes the result of a training."""
    if hook is None:
        return name in _NEEDED_HOOKS
    kind = hook.get('type')
    return not isinstance(kind, str) or kind.rpartition('.')[2] not in _USUAL_HOOKS


def label_making_settings(config: dict) -> dict[str, object]:
    """Pick the settings that determine the content of labels, whatever the images."""
    chosen = decisive_settings(config, 'test')
    # At this point only the class names of own data are left, and labels do not contain these.
    dataset = without_keys(chosen.pop('test_dataloader')['dataset'], {'data'})
    loop = chosen.pop('test_cfg')
    loop_settings = {key: loop[key] for key in ('generator', 'fp16') if key in loop}
    chosen.pop('test_evaluator', None)
    return {**chosen, 'dataset': dataset, **loop_settings}


def _with_class_names(node: Any) -> Any:
    """Reduce descriptions of own data to the classes; the rest only locates the data."""
    if isinstance(node, list):
        return [_with_class_names(child) for child in node]
    if not isinstance(node, dict):
        return node
    reduced = {key: _with_class_names(child) for key, child in node.items()}
    if type_name(node) == _OWN_DATA:
        reduced['data'] = list(DataDescription.from_dict(node['data']).classes)
    return reduced


def data_root(dataset: dict) -> str | None:
    """Return the root of the data that the config of a data set names."""
    data = dataset.get('data')
    return data.get('root') if isinstance(data, dict) else dataset.get('data_root')


def loader_datasets(config: dict, task: str) -> Iterator[tuple[str, dict]]:
    """List the configs of the data sets that a stage reads, by config key."""
    for loader in LOADERS[task]:
        dataset = (config.get(loader) or {}).get('dataset')
        if dataset:
            yield f'{loader}.dataset', dataset


def without_keys(node: Any, keys: set[str]) -> Any:
    """Leave keys out of dicts at any depth."""
    if isinstance(node, dict):
        return {k: without_keys(child, keys) for k, child in node.items() if k not in keys}
    if isinstance(node, list | tuple):
        return [without_keys(child, keys) for child in node]
    return node


def plain_settings(node: object, *, kind: object = None) -> object:
    """Convert settings to JSON values, without those that have no effect or equal a default.

    Args:
        node: The settings.
        kind: What receives the settings if they have no ``type``.
    """
    if isinstance(node, dict):
        return _plain_options(node, kind)
    if isinstance(node, list | tuple):
        return [plain_settings(child) for child in node]
    if isinstance(node, set | frozenset):
        return sorted(str(child) for child in node)
    if isinstance(node, float) and node.is_integer():
        return int(node)  # 1.0 and 1 mean the same
    if isinstance(node, np.ndarray | np.generic):
        return plain_settings(node.tolist())
    if isinstance(node, os.PathLike):
        return os.fspath(node)
    if node is None or isinstance(node, bool | int | float | str):
        return node
    named = node if hasattr(node, '__qualname__') else type(node)
    text = f'{named.__module__}.{named.__qualname__}'
    # The text of an object may contain its address, which differs in every run.
    return text if named is node or ' at 0x' in repr(node) else f'{text}: {node!r}'


def _plain_options(node: dict, kind: object) -> dict[str, object]:
    """Plain options of a component, without defaults; all of them if its name is ambiguous."""
    component = node.get('type', kind)
    if isinstance(component, str):
        component = _component(component)
    defaults = _signature_defaults(component) if callable(component) else {}
    parts = _part_types(component)
    plain: dict[str, object] = {}
    for key, value in node.items():
        given = plain_settings(value, kind=parts.get(key))
        if key in parts and isinstance(given, dict):
            given = {k: v for k, v in given.items() if (k, v) != ('type', parts[key].__name__)}
            given = given or None  # the same as leaving out the part
        if key not in _INDIFFERENT and (key not in defaults or defaults[key] != given):
            plain[str(key)] = given
    return plain


def _part_types(component: object) -> Mapping[str, type]:
    """Classes of the options of a component that need no ``type``."""
    if isinstance(component, type) and issubclass(component, Checked):
        return component.part_types
    return {}


@functools.cache
def _component(name: str) -> object | None:
    """Find what a name is registered for; None if it is unknown or ambiguous."""
    found = {}
    for node in vars(registry).values():
        if isinstance(node, Registry):
            component = node.get(name)
            if component is not None:
                found[id(component)] = component
    return next(iter(found.values())) if len(found) == 1 else None


@functools.cache
def _signature_defaults(component: object) -> dict[str, object]:
    """Defaults of all options, including those that a class passes to its parents."""
    inits: list[Any] = [component]
    if isinstance(component, type):
        inits = [vars(cls)['__init__'] for cls in component.__mro__ if '__init__' in vars(cls)]
    defaults: dict[str, object] = {}
    for function in inits:
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):  # not written in Python
            break
        for parameter in parameters:
            if parameter.default is not parameter.empty and parameter.name not in defaults:
                defaults[parameter.name] = plain_settings(parameter.default)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return defaults


def named_paths(node: object, key: str = '') -> Iterator[str]:
    """List the files and folders on disk that settings name."""
    if isinstance(node, dict):
        for name, child in node.items():
            if name != 'type':
                yield from named_paths(child, name)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from named_paths(child, key)
    elif isinstance(node, str) and _is_path(node, key):
        yield node


def _is_path(text: str, key: str) -> bool:
    try:
        path = Path(text)
        # A word such as 'data' may name a folder by chance.
        is_folder = ('/' in text or key in _FOLDER_KEYS) and path.is_dir()
        return bool(text) and (path.is_file() or is_folder)
    except (OSError, ValueError):  # too long for a path, or with a NUL
        return False


def by_content(node: object, contents: Mapping[str, object]) -> object:
    """Replace each path, which may change, with what it stands for."""
    if isinstance(node, dict):
        return {key: by_content(value, contents) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [by_content(value, contents) for value in node]
    return contents.get(node, node) if isinstance(node, str) else node
