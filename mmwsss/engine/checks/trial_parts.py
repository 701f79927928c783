"""Builds the parts of a stage on trial as its runner would; see the module ``preflight``."""

import copy
import logging
import os
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from mmengine import registry
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmengine.runner.priority import get_priority
from mmengine.utils.dl_utils import set_multi_processing
from torch import nn
from torch.utils.data import DataLoader

from mmwsss.engine.config.build_errors import building, check_arguments, check_component, find
from mmwsss.structures import UserInputError, WeakDataset
from mmwsss.structures.names import nearest

TAKEN = '/taken-from-an-earlier-stage'
"""Placeholder for the path of a file or folder that does not exist yet."""

_VISUALIZER = 'trial'
_BATCHES = 1000  # per epoch; the real number depends on the data
_RUNNERS_HOOKS = {
    'runtime_info',
    'timer',
    'sampler_seed',
    'logger',
    'param_scheduler',
    'checkpoint',
    'invalid_loss',
    'progress',
}


def check_runtime(stage: str, config: Config) -> None:
    """Build hooks and log processor; check visualizer, randomness and environment."""
    _check_visualizer(stage, config.get('visualizer'))
    hooks = {
        f'default_hooks.{key}': hook
        for key, hook in (config.get('default_hooks') or {}).items()
        if not (hook is None and key in _RUNNERS_HOOKS)
    }
    custom = config.get('custom_hooks') or ()
    hooks.update({f'custom_hooks.{i}': hook for i, hook in enumerate(custom)})
    for key, hook in hooks.items():
        priority = hook.pop('priority', None) if isinstance(hook, dict) else None
        check_component(stage, key, hook, registry.HOOKS, {})
        with building(stage, {key: hook}):
            built = registry.HOOKS.build(hook)
            _check_priority(key, built.priority if priority is None else priority)
    processor = dict(config.get('log_processor') or {})
    with building(stage, {'log_processor': processor}):
        registry.LOG_PROCESSORS.build({'type': 'LogProcessor', **processor})
    randomness = {'self': None, 'seed': 0, **(config.get('randomness') or {})}
    check_arguments(f"stage '{stage}': randomness", Runner.set_randomness, randomness)
    processes = (config.get('env_cfg') or {}).get('mp_cfg') or {}
    check_arguments(f"stage '{stage}': env_cfg.mp_cfg", set_multi_processing, processes)
    level = config.get('log_level', 'INFO')
    if isinstance(level, str) and level not in logging._nameToLevel:
        raise UserInputError(
            f"stage '{stage}': log_level = {level!r} is not one of "
            f'{", ".join(logging._nameToLevel)}.'
        )


def _check_priority(key: str, priority: Any) -> None:
    try:
        get_priority(priority)
    except KeyError as error:
        raise UserInputError(
            f'{key}.priority = {priority!r} is neither a number from 0 to 100 nor a name such as '
            'NORMAL, HIGH or LOW.'
        ) from error


def _check_visualizer(stage: str, visualizer: Any) -> None:
    """Build the visualizer, which hooks request when they are built, without its backends."""
    if visualizer is None:
        registry.VISUALIZERS.build({'type': 'Visualizer', 'name': _VISUALIZER})
        return
    given = {'name': '', 'save_dir': ''}
    check_component(stage, 'visualizer', visualizer, registry.VISUALIZERS, given)
    for i, backend in enumerate(visualizer.get('vis_backends') or ()):
        key = f'visualizer.vis_backends.{i}'
        check_component(stage, key, backend, registry.VISBACKENDS, {'save_dir': ''})
    with building(stage, {'visualizer': visualizer}):
        silent = {'vis_backends': None, 'save_dir': None, 'name': _VISUALIZER}
        registry.VISUALIZERS.build({**visualizer, **silent})


def build_model(stage: str, config: Config) -> nn.Module:
    """Build the model without memory for weights, or on the CPU if a part needs real values."""
    model = config.model
    if config.get('data_preprocessor') is not None and isinstance(model, dict):
        model.setdefault('data_preprocessor', config.data_preprocessor)
    try:
        with torch.device('meta'):
            return registry.MODELS.build(copy.deepcopy(model))
    except Exception:  # a part that computes when built, or a mistake: the CPU tells
        roots = {'model': model}
        if 'tta_model' in config and model is config.tta_model:
            roots = {'model': model.module, 'tta_model': model}
        with building(stage, roots):
            return registry.MODELS.build(model)


def check_whole_model(stage: str, config: Config, model: nn.Module, method: str) -> None:
    """Refuse a part, such as a head, in the place of a model.

    Raises:
        UserInputError: If the model has no such method.
    """
    if not hasattr(model, method):
        raise UserInputError(
            f"stage '{stage}': model.type = {config.model.type!r} is only a part of a model, "
            f'without {method}. Expected a whole model, such as CAMClassifier or EncoderDecoder.'
        )


def build_dataset(stage: str, config: Config, key: str) -> Any:
    """Build the data set of a loader with its transforms but without data; check the loader."""
    loader = config[key]
    if not isinstance(loader, dict) or not isinstance(loader.get('dataset'), dict):
        raise UserInputError(f"stage '{stage}': {key} must be a dict with a `dataset`.")
    options = dict(loader)
    dataset = options.pop('dataset')
    for part in _datasets(dataset):
        part['lazy_init'] = True
    roots = {f'{key}.dataset': dataset}
    if config.get('tta_pipeline') is not None:
        roots['tta_pipeline'] = config.tta_pipeline
    with building(stage, roots):
        built = registry.DATASETS.build(dataset)
    check_data_folders(stage, key, built)
    _check_loader(stage, key, options)
    return built


def check_data_folders(stage: str, key: str, dataset: Any) -> None:
    """Refuse a data set if a folder below its root is missing and no earlier stage makes it.

    Raises:
        UserInputError: Naming the config key and the folder.
    """
    unread = dataset.unread_folders if isinstance(dataset, WeakDataset) else ()
    for prefix, folder in (getattr(dataset, 'data_prefix', None) or {}).items():
        given = isinstance(folder, str) and folder and not folder.startswith(TAKEN)
        if given and prefix not in unread and not os.path.isdir(folder):
            raise UserInputError(
                f"stage '{stage}': {key}.dataset.data_prefix.{prefix} = {folder} is not a folder. "
                'Set data_root or this prefix to the location of the files, or leave out the '
                'prefix.'
            )


def _datasets(config: dict) -> Iterable[dict]:
    """List a data set and those it wraps, if they can postpone reading their data."""
    if hasattr(find(config, registry.DATASETS)[0], 'full_init'):
        yield config
    inner = config.get('datasets') or [config.get('dataset')]
    for child in inner:
        if isinstance(child, dict):
            yield from _datasets(child)


def _check_loader(stage: str, key: str, options: dict) -> None:
    """Compare samplers with their signatures; build the loader around a list of numbers."""
    options.pop('num_batch_per_epoch', None)
    options.pop('disable_subprocess_warning', None)
    sampler, batch_sampler = options.pop('sampler', None), options.pop('batch_sampler', None)
    given: dict[str, Any] = {'dataset': None, 'seed': None}
    check_component(stage, f'{key}.sampler', sampler, registry.DATA_SAMPLERS, given)
    if batch_sampler is not None:
        given = {'sampler': None, 'batch_size': options.pop('batch_size', 1)}
        name = f'{key}.batch_sampler'
        check_component(stage, name, batch_sampler, registry.DATA_SAMPLERS, given)
    for name, given in (('collate_fn', {'data_batch': None}), ('worker_init_fn', {'worker_id': 0})):
        function = options.pop(name, None)
        if isinstance(function, dict):
            check_component(stage, f'{key}.{name}', function, registry.FUNCTIONS, given)
    check_arguments(f"stage '{stage}': {key}", DataLoader, {'dataset': None, **options})
    try:
        DataLoader(range(_BATCHES), **options)  # type: ignore[arg-type]  # has what it needs
    except Exception as error:  # the constructor only checks and keeps its options
        raise UserInputError(f"stage '{stage}': {key}: {' '.join(str(error).split())}") from error


def build_evaluator(stage: str, config: Config, key: str) -> None:
    """Build the metrics without the folders that they would create."""
    evaluator = config[key]
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    if isinstance(evaluator, dict) and 'metrics' in evaluator:
        inner = evaluator['metrics']
        metrics = inner if isinstance(inner, list) else [inner]
        given = {'metrics': None}
        check_component(stage, key, {'type': 'Evaluator', **evaluator}, registry.EVALUATOR, given)
    for metric in metrics:
        check_component(stage, key, metric, registry.METRICS, {})
        metric.pop('output_dir', None)
    with building(stage, {key: evaluator}):
        Evaluator(metrics)


def check_loop(stage: str, config: Config, kind: str) -> None:
    """Compare the options of a validation or test loop with its signature."""
    loop = {'type': f'{kind.title()}Loop', **config[f'{kind}_cfg']}
    given = {'runner': None, 'dataloader': None, 'evaluator': None}
    check_component(stage, f'{kind}_cfg', loop, registry.LOOPS, given)


def check_train_loop(stage: str, config: Config) -> dict[str, int]:
    """Compare the options of the training loop with its signature.

    Returns:
        Its last iteration and epoch, ``max_iters`` and ``max_epochs``.
    """
    loop = dict(config.train_cfg)
    if 'type' not in loop:
        if 'by_epoch' not in loop:
            raise UserInputError(
                f"stage '{stage}': train_cfg lacks a `type`, such as IterBasedTrainLoop."
            )
        loop['type'] = 'EpochBasedTrainLoop' if loop.pop('by_epoch') else 'IterBasedTrainLoop'
    given = {'runner': None, 'dataloader': None}
    check_component(stage, 'train_cfg', loop, registry.LOOPS, given)
    for key in ('max_iters', 'max_epochs', 'val_interval', 'val_begin'):
        value = loop.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value % 1:
            raise UserInputError(
                f"stage '{stage}': train_cfg.{key} = {value!r} must be a whole number of at least "
                '1.'
            )
    epochs = int(loop.get('max_epochs', 1))
    return {'max_iters': int(loop.get('max_iters', epochs * _BATCHES)), 'max_epochs': epochs}


def build_optimizer(stage: str, config: Config, model: nn.Module, end: dict[str, int]) -> None:
    """Build optimizer and schedules on the parameters of the model.

    Args:
        stage: Name of the stage, for the message.
        config: Its config.
        model: The model built on trial.
        end: Last iteration and epoch, see :func:`check_train_loop`.
    """
    options = config.optim_wrapper
    if isinstance(options.get('optimizer'), dict):
        key = 'optim_wrapper.optimizer'
        check_component(stage, key, options.optimizer, registry.OPTIMIZERS, {'params': ()})
        options.optimizer.pop('fused', None)  # refused without a GPU
    with building(stage, {'optim_wrapper': options}):
        wrapper = build_optim_wrapper(model, options)
    _check_custom_keys(stage, options, model)
    if options.get('clip_grad'):
        clip = dict(options.clip_grad)
        kind = clip.pop('type', 'norm')
        function = nn.utils.clip_grad_norm_ if kind == 'norm' else nn.utils.clip_grad_value_
        name = f"stage '{stage}': optim_wrapper.clip_grad"
        check_arguments(name, function, {'parameters': (), **clip})
    schedulers = config.get('param_scheduler') or []
    if isinstance(schedulers, dict) and 'type' not in schedulers:
        return  # several optimizers, by name
    listed = schedulers if isinstance(schedulers, list | tuple) else [schedulers]
    for i, scheduler in enumerate(listed):
        key = 'param_scheduler' if listed is not schedulers else f'param_scheduler.{i}'
        with building(stage, {key: scheduler}):
            last = end['max_epochs' if scheduler.get('by_epoch', True) else 'max_iters']
            scheduler.setdefault('end', last)
            given = {'optimizer': wrapper, 'epoch_length': _BATCHES}
            registry.PARAM_SCHEDULERS.build(scheduler, default_args=given)


def _check_custom_keys(stage: str, options: Mapping, model: nn.Module) -> None:
    """Refuse a misspelt parameter name, which would have no effect.

    Schedules are shared, so a name that matches no parameter may belong to another model.
    """
    names = [name for name, _ in model.named_parameters()]
    parts = {part for name in names for part in name.split('.')}
    for key in (options.get('paramwise_cfg') or {}).get('custom_keys', ()):
        for part in key.split('.'):
            similar = nearest(part, parts, cutoff=0.75)
            if similar and not any(part in name for name in names):
                raise UserInputError(
                    f"stage '{stage}': optim_wrapper.paramwise_cfg.custom_keys names {key!r}, but "
                    f'no parameter has {part!r} in its name. Did you mean {similar[0]!r}?'
                )
