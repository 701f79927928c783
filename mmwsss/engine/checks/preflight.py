"""Builds the parts of a stage on trial, before hours are spent on the stages before it."""

import copy
import os
from types import SimpleNamespace

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from torch import nn

from mmwsss.engine.checks import trial_parts
from mmwsss.engine.checks.isolation import without_traces
from mmwsss.engine.checks.stage_checks import check_stage
from mmwsss.engine.compilation import compile_backbone
from mmwsss.engine.config.build_errors import building
from mmwsss.engine.config.files import RUNNER_KEYS, use_test_time_augmentation
from mmwsss.engine.config.structure import check_structure
from mmwsss.engine.labels.checks import check_checkpoint, check_supervision
from mmwsss.models.checkpoint_fit import base_model, load_fitting, read_checkpoint
from mmwsss.models.class_counts import check_num_classes
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import UserInputError, check_class_count, check_folder
from mmwsss.structures.names import nearest

_TOGETHER = (
    ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    ('val_dataloader', 'val_cfg', 'val_evaluator'),
    ('test_dataloader', 'test_cfg', 'test_evaluator'),
)


def preflight(
    name: str,
    config: Config,
    *,
    task: str,
    tta: bool = False,
    taken: frozenset[str] = frozenset(),
) -> None:
    """Refuse a stage whose files are missing or whose parts cannot be built.

    The model is built on the meta device, data sets lazily, and optimizer and schedules on the
    model's parameters. For parts that would start workers, write files or read images, only the
    arguments are compared with the signature. Nothing is written or trained, no random number is
    used, and `config` stays unchanged.

    Args:
        name: Name of the stage, for the message.
        config: Its config.
        task: ``'train'`` or ``'test'``.
        tta: Whether the test uses ``tta_model`` and ``tta_pipeline``.
        taken: Config keys that an earlier stage will fill.

    Raises:
        UserInputError: Naming the stage, the config key, what is wrong and what is known.
    """
    check_structure(name, config)
    _check_keys(name, config, task)
    check_stage(name, config, task=task, tta=tta, taken=taken)
    config = copy.deepcopy(config)
    config.merge_from_dict({key: f'{trial_parts.TAKEN}/{key}' for key in taken})
    if tta:
        use_test_time_augmentation(config)
    with without_traces(config.get('default_scope') or 'mmengine'):
        trial_parts.check_runtime(name, config)
        model = trial_parts.build_model(name, config)
        if task == 'train':
            datasets = _check_training(name, config, model)
        else:
            datasets = _check_test(name, config, model)
        with building(name, {'model': config.model}):
            for dataset in datasets:
                if (classes := getattr(dataset, 'metainfo', {}).get('classes')) is not None:
                    check_num_classes(base_model(model), classes)
        if 'load_from' not in taken:
            _check_load_from(name, config, model)


def _check_load_from(name: str, config: Config, model: nn.Module) -> None:
    """Compare a manually named checkpoint with the model."""
    path = config.get('load_from')
    if path and os.path.isfile(path):
        with building(name, {'load_from': path}):
            load_fitting(model, read_checkpoint(path), path, new=config.get('load_new', ()))


def _check_keys(name: str, config: Config, task: str) -> None:
    """Refuse keys that look misspelt, and groups of keys that are set only in part."""
    for key in config:
        if key in RUNNER_KEYS or key.endswith('_pipeline'):  # configs use them as variables
            continue
        similar = nearest(key, RUNNER_KEYS, cutoff=0.88)
        if similar and similar[0] not in config:
            raise UserInputError(
                f"stage '{name}': nothing reads the config key {key!r}, did you mean "
                f'{similar[0]!r}?'
            )
    if config.get('model') is None:
        raise UserInputError(f"stage '{name}': the config has no `model`.")
    needed = {f'{task}_cfg'}
    for keys in _TOGETHER:
        given = [key for key in keys if config.get(key) is not None]
        lacking = [key for key in keys if key not in given]
        if lacking and (given or needed & set(keys)):
            raise UserInputError(
                f"stage '{name}': {', '.join(lacking)} is not set, but {keys[0]}, {keys[1]} and "
                f'{keys[2]} belong together. Set what is missing ([] for no evaluator), or set all '
                'to None.'
            )


def _check_training(name: str, config: Config, model: nn.Module) -> list[BaseDataset]:
    trial_parts.check_whole_model(name, config, model, 'train_step')
    end = trial_parts.check_train_loop(name, config)
    _check_last_checkpoint(name, config)
    datasets = [trial_parts.build_dataset(name, config, 'train_dataloader')]
    if config.get('val_cfg') is not None:
        trial_parts.check_loop(name, config, 'val')
        datasets.append(trial_parts.build_dataset(name, config, 'val_dataloader'))
        trial_parts.build_evaluator(name, config, 'val_evaluator')
    trial_parts.build_optimizer(name, config, model, end)
    try:
        compile_backbone(model, config)
    except UserInputError as error:
        raise UserInputError(f"stage '{name}': {error}") from error
    return datasets


def _check_last_checkpoint(name: str, config: Config) -> None:
    """Refuse a training stage whose last checkpoint would not be written or not be found."""
    hooks = [(config.get('default_hooks') or {}).get('checkpoint', {})]
    hooks += [h for h in config.get('custom_hooks') or () if h.get('type') == 'CheckpointHook']
    given = [hook for hook in hooks if hook is not None]
    need = f"stage '{name}': training is finished when its last iteration has a checkpoint, but"
    if not given:
        raise UserInputError(
            f'{need} default_hooks.checkpoint = None writes none. Leave out the key, or set it to '
            "dict(type='CheckpointHook', by_epoch=False, interval=1000)."
        )
    for hook in given:
        if '://' in str(hook.get('out_dir')):
            raise UserInputError(
                f'{need} default_hooks.checkpoint.out_dir = {hook["out_dir"]!r} is not a local '
                'folder, so the checkpoint could not be found. Leave it out to use the work folder.'
            )
    interval, begin = given[0].get('interval', -1), given[0].get('save_begin', 0)
    last = config.train_cfg.get('max_iters')
    by_iteration = last is not None and not given[0].get('by_epoch', True)
    due = isinstance(interval, int) and interval > 0 and last is not None
    saved = due and last >= begin and (last - begin) % interval == 0
    if by_iteration and not given[0].get('save_last', True) and not saved:
        raise UserInputError(
            f'{need} default_hooks.checkpoint has save_last=False, and interval={interval} leaves '
            f'out train_cfg.max_iters={last}. Set save_last=True, or another interval.'
        )


def _check_test(name: str, config: Config, model: nn.Module) -> list[BaseDataset]:
    check_checkpoint(SimpleNamespace(model=model, cfg=config))
    trial_parts.check_whole_model(name, config, model, 'test_step')
    trial_parts.check_loop(name, config, 'test')
    if config.test_cfg.get('out_dir'):
        check_folder(f"stage '{name}': test_cfg.out_dir", config.test_cfg.out_dir)
    dataset = trial_parts.build_dataset(name, config, 'test_dataloader')
    trial_parts.build_evaluator(name, config, 'test_evaluator')
    generator = config.test_cfg.get('generator')
    if generator is not None:
        with building(name, {'test_cfg.generator': generator}):
            check_supervision(dataset, TASK_UTILS.build(generator).requires)
            check_class_count(getattr(dataset, 'metainfo', {}).get('classes', ()))
    return [dataset]
