"""What must be there before a stage starts, so that hours are not spent on a typo."""

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import Registry

from mmwsss.datasets.voc import VOCWeakDataset
from mmwsss.engine.checks.isolation import without_traces
from mmwsss.engine.config.build_errors import building
from mmwsss.engine.hooks.alternating_phase_hook import AlternatingPhaseHook
from mmwsss.engine.hooks.region_centroids_hook import RegionCentroidsHook
from mmwsss.engine.labels.checks import check_files, check_label_names
from mmwsss.engine.state.settings import LOADERS
from mmwsss.registry import DATASETS, HOOKS, MODELS, TASK_UTILS, type_name
from mmwsss.structures import UserInputError

_REMOTE = ('http://', 'https://', 'torchvision://', 'open-mmlab://', 'mmcls://', 's3://', 'petrel:')


def check_stage(
    name: str,
    config: Config,
    *,
    task: str,
    tta: bool = False,
    taken: frozenset[str] = frozenset(),
) -> None:
    """Check that files and folders exist, objectives can learn and generators can be built.

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
            raise UserInputError(f"stage '{name}': a test with tta needs `{key}` in its config.")
    if task == 'test' and not tta:
        _check_single_view(name, config)
    if task == 'test':
        _check_generator(name, config, taken)
    _check_workers(name, config, task)
    if 'model.folder' not in taken:
        _check_folder(name, config)
    if task == 'train':
        _check_objectives(name, config, taken)
        _check_centroids(name, config, taken)
    for key, path in _paths(config._cfg_dict, task):
        if key not in taken and not path.startswith(_REMOTE):
            _check_path(name, key, Path(path))


def _check_path(name: str, key: str, path: Path) -> None:
    if not path.exists():
        raise UserInputError(
            f"stage '{name}': {key} = {path} does not exist. Set MMWSSS_DATA (the folder that "
            'holds the data set) and MMWSSS_WEIGHTS (pretrained weights), or override the key '
            'with --cfg-options.'
        )
    if path.is_dir() and not key.endswith('.data_root'):
        raise UserInputError(
            f"stage '{name}': {key} = {path} is a folder, expected a file. Name the file in it "
            'with --cfg-options.'
        )


def _check_single_view(name: str, config: Config) -> None:
    """Refuse a pipeline of several views for a model of one."""
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    augmented = any(type_name(entry) == 'TestTimeAug' for entry in dataset.get('pipeline') or ())
    if augmented and 'tta_model' in config:
        raise UserInputError(
            f"stage '{name}': test_dataloader gives several views of an image, which only the "
            "config's tta_model merges. Add --tta, or tta=True to the stage of a pipeline."
        )


def _check_workers(name: str, config: Config, task: str) -> None:
    """Refuse numbers of processes that only a data loader or a pool would find, hours later."""
    unused = {loader for loaders in LOADERS.values() for loader in loaders} - {*LOADERS[task]}
    used = {key: value for key, value in config._cfg_dict.items() if key not in unused}
    for key, node in _walk(used, ''):
        workers = node.get('num_workers', 0)
        option = f'{key}.num_workers'.removeprefix('.')
        if type(workers) is not int or workers < 0:
            raise UserInputError(
                f"stage '{name}': {option} = {workers!r} must be a whole number: 0 (no processes) "
                'or more.'
            )
        if node.get('persistent_workers') and workers == 0:
            raise UserInputError(
                f"stage '{name}': {option} = 0, but persistent_workers is True beside it, which "
                'needs processes. Set it to False.'
            )


def _check_folder(name: str, config: Config) -> None:
    """Refuse a model of stored maps without their folder."""
    folder = (config.get('model') or {}).get('folder')
    if folder is not None and not (folder and Path(folder).is_dir()):
        raise UserInputError(
            f"stage '{name}': model.folder = {folder!r} is not a folder. Name a folder of score "
            'files, such as <label name>_scores of a label stage, by --cfg-options '
            'model.folder=..., or let the stage take it from the stage that makes them.'
        )


def _check_objectives(name: str, config: Config, taken: frozenset[str]) -> None:
    """Refuse objectives without the hook or the file that they cannot learn without."""
    objectives = _classes(MODELS, (config.get('model') or {}).get('objectives'))
    hooks = _classes(HOOKS, config.get('custom_hooks'))
    phased = [cls.__name__ for cls in objectives if hasattr(cls, 'set_phase')]
    if phased and not any(issubclass(hook, AlternatingPhaseHook) for hook in hooks):
        raise UserInputError(
            f"stage '{name}': model.objectives has {phased[0]}, which learns in two phases, but "
            'custom_hooks has no AlternatingPhaseHook to switch them: the second would never come. '
            "Add dict(type='AlternatingPhaseHook'); with first equal to period there is one phase."
        )
    dataset = (config.get('train_dataloader') or {}).get('dataset') or {}
    key = 'train_dataloader.dataset.proportion_file'
    lacks_file = not dataset.get('proportion_file') and key not in taken
    can_read = any(issubclass(cls, VOCWeakDataset) for cls in _classes(DATASETS, [dataset]))
    needing = [c.__name__ for c in objectives if getattr(c, 'needs_proportions', False)]
    if needing and can_read and lacks_file:
        raise UserInputError(
            f"stage '{name}': {key} = {dataset.get('proportion_file')!r}, but {needing[0]} needs "
            'the foreground proportions of the images. Let the stage take them from a label stage '
            "with proportions=('<label>',), or name a file that "
            'tools/analysis_tools/estimate_proportions.py wrote.'
        )


def _check_centroids(name: str, config: Config, taken: frozenset[str]) -> None:
    """Refuse a context of centroids that neither a hook nor a checkpoint gives it."""
    head = (config.get('model') or {}).get('head') or {}
    contexts = _classes(MODELS, [head.get('context') or {}])
    hooks = _classes(HOOKS, config.get('custom_hooks'))
    given = config.get('load_from') or 'load_from' in taken
    lacking = [cls.__name__ for cls in contexts if hasattr(cls, 'set_centroids')]
    if lacking and not given and not any(issubclass(hook, RegionCentroidsHook) for hook in hooks):
        raise UserInputError(
            f"stage '{name}': model.head.context is {lacking[0]}, but custom_hooks has no "
            'RegionCentroidsHook to give it centroids: it would add nothing. Add '
            "dict(type='RegionCentroidsHook', begin=..., interval=...), or load_from a checkpoint "
            'that has some.'
        )


def _classes(registry: Registry, configs: list[dict] | None) -> list[type]:
    """Find the classes that configs name; unknown ones are refused when they are built."""
    kinds = [config.get('type') for config in configs or ()]
    found = [registry.get(kind) if isinstance(kind, str) else kind for kind in kinds]
    return [cls for cls in found if isinstance(cls, type)]


def _check_generator(name: str, config: Config, taken: frozenset[str]) -> None:
    """Build the label generator, if there is one: a wrong option or a missing file shows now."""
    generator = config.get('test_cfg', {}).get('generator')
    if generator is None:
        return
    with without_traces('mmwsss'), building(name, {'test_cfg.generator': generator}):
        built = TASK_UTILS.build(generator)
    with building(name, {'test_cfg': None}):
        for option in ('keep_scores', 'proportions'):
            check_label_names(option, config.test_cfg.get(option, ()), built.names)
        if not any(key.startswith('test_cfg.generator') for key in taken):
            check_files(built.files)


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
    yield from proportion_files(config, task).items()


def proportion_files(config: dict, task: str) -> dict[str, str]:
    """Find the files of foreground proportions that a stage reads: config key -> path."""
    files = {}
    for loader in LOADERS[task]:
        dataset = (config.get(loader) or {}).get('dataset') or {}
        if dataset.get('proportion_file'):
            path = Path(dataset.get('data_root') or '', dataset['proportion_file'])
            files[f'{loader}.dataset.proportion_file'] = str(path)
    return files


def _walk(node: object, key: str) -> Iterator[tuple[str, dict]]:
    if isinstance(node, dict):
        yield key, node
        for name, child in node.items():
            yield from _walk(child, f'{key}.{name}')
    elif isinstance(node, list | tuple):
        for i, child in enumerate(node):
            yield from _walk(child, f'{key}.{i}')
