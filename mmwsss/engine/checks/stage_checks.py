"""Checks before a stage starts, so that hours are not wasted on a typo."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from mmwsss.engine.checks.isolation import without_traces
from mmwsss.engine.state.settings import LOADERS
from mmwsss.models.weight_sources import how_to_get
from mmwsss.registry import (
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    TASK_UTILS,
    TRANSFORMS,
    find_class,
    type_name,
)
from mmwsss.structures import Checked, Component, StagePlan, UserInputError

# Where a config names the parts that its task builds, and the registry of each place. Nested parts
# may come from any registry.
_ALWAYS = {'model': MODELS, 'custom_hooks': HOOKS, 'default_hooks': HOOKS}
_PLACES = {
    'train': {
        **_ALWAYS,
        'train_cfg': LOOPS,
        'val_cfg': LOOPS,
        'train_dataloader.dataset': DATASETS,
        'val_dataloader.dataset': DATASETS,
        'val_evaluator': METRICS,
    },
    'test': {
        **_ALWAYS,
        'test_cfg': LOOPS,
        'test_dataloader.dataset': DATASETS,
        'test_evaluator': METRICS,
    },
}
_REGISTRIES = (MODELS, HOOKS, DATASETS, TRANSFORMS, LOOPS, TASK_UTILS, METRICS)
_REMOTE = ('http://', 'https://', 'torchvision://', 'open-mmlab://', 'mmcls://', 's3://', 'petrel:')


def check_stage(
    name: str,
    config: Config,
    *,
    task: str,
    tta: bool = False,
    taken: frozenset[str] = frozenset(),
) -> None:
    """Check that files and folders exist, and that every component has what it needs.

    Args:
        name: Name of the stage, for the message.
        config: Its config.
        task: ``'train'`` or ``'test'``.
        tta: Whether the test uses ``tta_model`` and ``tta_pipeline``.
        taken: Config keys that an earlier stage will fill.

    Raises:
        UserInputError: Naming the stage, the config key and the path or value.
    """
    for key in ('tta_model', 'tta_pipeline') if tta else ():
        if key not in config:
            raise UserInputError(f"stage '{name}': a test with --tta needs `{key}` in its config.")
    if task == 'test' and not tta:
        _check_single_view(name, config)
    _check_components(name, config, task, tta, taken)
    _check_workers(name, config, task)
    for key, path in _paths(config._cfg_dict, task):
        if key not in taken and not path.startswith(_REMOTE):
            _check_path(name, key, Path(path))


def _check_path(name: str, key: str, path: Path) -> None:
    if not path.exists():
        raise UserInputError(f"stage '{name}': {key} = {path} does not exist. {_remedy(key, path)}")
    if path.is_dir() and not key.endswith('.data_root'):
        raise UserInputError(
            f"stage '{name}': {key} = {path} is a folder, expected a file. Name a file in it with "
            '--cfg-options.'
        )


def _remedy(key: str, path: Path) -> str:
    if key.startswith('model.'):
        return how_to_get(path)
    if path.name == 'train_aug.txt':
        return (
            'python tools/dataset_converters/voc_train_aug.py writes it from VOC and SBD. You may '
            'also name another list with --cfg-options.'
        )
    return (
        'Set MMWSSS_DATA (the folder that holds the data set) and MMWSSS_WEIGHTS (the folder of '
        'pretrained weights), or override the key with --cfg-options.'
    )


def _check_single_view(name: str, config: Config) -> None:
    """Refuse a pipeline with several views for a model that takes one."""
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    augmented = any(type_name(entry) == 'TestTimeAug' for entry in dataset.get('pipeline') or ())
    if augmented and 'tta_model' in config:
        raise UserInputError(
            f"stage '{name}': test_dataloader gives several views of an image, which only the "
            "config's tta_model can merge. Add --tta, or set tta=True in the stage of a pipeline."
        )


def _check_workers(name: str, config: Config, task: str) -> None:
    """Refuse numbers of processes that a data loader or a pool would only reject hours later."""
    unused = {loader for loaders in LOADERS.values() for loader in loaders} - {*LOADERS[task]}
    used = {key: value for key, value in config._cfg_dict.items() if key not in unused}
    for key, node in _walk(used, ''):
        workers = node.get('num_workers', 0)
        option = f'{key}.num_workers'.removeprefix('.')
        if workers is None and 'type' in node:
            continue  # option of a loop, which counts the free cores
        if type(workers) is not int or workers < 0:
            raise UserInputError(
                f"stage '{name}': {option} = {workers!r} must be a whole number, 0 (no processes) "
                'or more.'
            )
        if node.get('persistent_workers') and workers == 0:
            raise UserInputError(
                f"stage '{name}': {option} = 0, but persistent_workers is True next to it, which "
                'needs processes. Set persistent_workers to False.'
            )


def _check_components(
    name: str, config: Config, task: str, tta: bool, taken: frozenset[str]
) -> None:
    """Let every component refuse a stage in which it could not work."""
    settings, places = config._cfg_dict, _PLACES[task]
    if tta:
        places = {**places, 'tta_model': MODELS, 'tta_pipeline': TRANSFORMS}
    components = tuple(
        Component(key, options, kind)
        for place, registry in places.items()
        for key, options in _walk(_at(settings, place), place)
        if (kind := _kind(options, registry)) is not None
    )
    plan = StagePlan(name, task, settings, taken, components)
    with without_traces('mmwsss'):
        for part in plan.parts(Checked):
            _ask(part, plan)


def _ask(part: Component, plan: StagePlan) -> None:
    start = f"stage '{plan.name}': "
    try:
        part.kind.check(part.options, part.key, plan)
    except UserInputError as error:
        line = str(error)
        raise UserInputError(line if line.startswith(start) else start + line) from error


def _kind(options: dict, registry: Registry) -> type | None:
    if 'type' not in options:
        return None
    found = (find_class(options, known) for known in (registry, *_REGISTRIES))
    return next((kind for kind in found if kind is not None), None)


def _at(config: Any, key: str) -> object:
    for part in key.split('.'):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def _paths(config: dict, task: str) -> Iterator[tuple[str, str]]:
    """List config keys that name input files or folders, with their values."""
    if config.get('load_from'):
        yield 'load_from', config['load_from']
    if task == 'train':
        for key, node in _walk(config.get('model') or {}, 'model'):
            if type_name(node) == 'Pretrained':
                yield f'{key}.checkpoint', node['checkpoint']
    for loader in LOADERS[task]:
        dataset = (config.get(loader) or {}).get('dataset') or {}
        root = dataset.get('data_root')
        if root:
            yield f'{loader}.dataset.data_root', root
            if dataset.get('ann_file'):
                yield f'{loader}.dataset.ann_file', str(Path(root, dataset['ann_file']))


def _walk(node: object, key: str) -> Iterator[tuple[str, dict]]:
    if isinstance(node, dict):
        yield key, node
        for name, child in node.items():
            yield from _walk(child, f'{key}.{name}')
    elif isinstance(node, list | tuple):
        for i, child in enumerate(node):
            yield from _walk(child, f'{key}.{i}')
