"""What must be there before a stage starts, so that hours are not spent on a typo."""

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmwsss.engine.loops.label_checks import check_label_names
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import UserInputError

_REMOTE = ('http://', 'https://', 'torchvision://', 'open-mmlab://', 'mmcls://', 's3://', 'petrel:')
_LOADERS = {'train': ('train_dataloader', 'val_dataloader'), 'test': ('test_dataloader',)}


def check_stage(
    name: str,
    config: Config,
    *,
    task: str,
    tta: bool = False,
    taken: frozenset[str] = frozenset(),
) -> None:
    """Check that checkpoints, folders and lists exist and label generators can be built.

    Args:
        name: Name of the stage, for the message.
        config: Its config.
        task: ``'train'`` or ``'test'``.
        tta: Whether the test uses ``tta_model`` and ``tta_pipeline``.
        taken: Config keys that an earlier stage will fill.

    Raises:
        UserInputError: Naming the stage, the config key and the path.
    """
    for key in ('tta_model', 'tta_pipeline') if tta else ():
        if key not in config:
            raise UserInputError(f"stage '{name}': a test with tta needs `{key}` in its config.")
    if task == 'test' and not tta:
        _check_single_view(name, config)
    if task == 'test':
        _check_generator(name, config)
    if 'model.folder' not in taken:
        _check_folder(name, config)
    for key, path in _paths(config._cfg_dict, task):
        if key in taken or path.startswith(_REMOTE) or Path(path).exists():
            continue
        raise UserInputError(
            f"stage '{name}': {key} = {path} does not exist. Set MMWSSS_DATA (the folder that "
            'holds the data set) and MMWSSS_WEIGHTS (pretrained weights), or override the key '
            'with --cfg-options.'
        )


def _check_single_view(name: str, config: Config) -> None:
    """Refuse a pipeline of several views for a model of one."""
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    augmented = any(entry['type'] == 'TestTimeAug' for entry in dataset.get('pipeline') or ())
    if augmented and 'tta_model' in config:
        raise UserInputError(
            f"stage '{name}': test_dataloader gives several views of an image, which only the "
            "config's tta_model merges. Add --tta, or tta=True to the stage of a pipeline."
        )


def _check_folder(name: str, config: Config) -> None:
    """Refuse a model of stored maps without their folder."""
    folder = (config.get('model') or {}).get('folder')
    if folder is not None and not (folder and Path(folder).is_dir()):
        raise UserInputError(
            f"stage '{name}': model.folder = {folder!r} is no folder. Name one of score files, "
            'such as <label name>_scores of a label stage, by --cfg-options model.folder=..., or '
            'let the stage take it from the stage that makes them.'
        )


def _check_generator(name: str, config: Config) -> None:
    """Build the label generator, if there is one: a wrong option or a missing package shows now."""
    generator = config.get('test_cfg', {}).get('generator')
    if generator is None:
        return
    init_default_scope('mmwsss')
    try:
        names = TASK_UTILS.build(generator).names
        for option in ('keep_scores', 'proportions'):
            check_label_names(option, config.test_cfg.get(option, ()), names)
    except (ImportError, KeyError, TypeError, ValueError) as error:
        raise UserInputError(f"stage '{name}': test_cfg: {error}") from error


def _paths(config: dict, task: str) -> Iterator[tuple[str, str]]:
    """List config keys that name input files or folders, with their values."""
    if config.get('load_from'):
        yield 'load_from', config['load_from']
    if task == 'train':
        for key, node in _walk(config.get('model') or {}, 'model'):
            if node.get('type') == 'Pretrained':
                yield f'{key}.checkpoint', node['checkpoint']
    for loader in _LOADERS[task]:
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
    for loader in _LOADERS[task]:
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
