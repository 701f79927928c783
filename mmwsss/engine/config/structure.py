"""Checks which config keys hold a dict and which a list, whatever the components."""

from typing import Any

from mmengine.config import Config

from mmwsss.structures import UserInputError

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_DICTS = (
    *('model', 'model.head', 'model.head.context', 'tta_model', 'optim_wrapper'),
    *('train_cfg', 'val_cfg', 'test_cfg', 'test_cfg.generator', 'test_cfg.generator.labels'),
    *('default_hooks', 'env_cfg', 'env_cfg.mp_cfg', 'env_cfg.dist_cfg', 'randomness'),
    *('visualizer', 'log_processor', 'data_preprocessor', 'optim_wrapper.paramwise_cfg'),
    *_LOADERS,
    *(f'{loader}.dataset' for loader in _LOADERS),
)
_LISTS_OF_DICTS = (
    *('custom_hooks', 'model.objectives', 'tta_pipeline', 'visualizer.vis_backends'),
    *(f'{loader}.dataset.pipeline' for loader in _LOADERS),
)
_PATHS = (
    'load_from',
    *(f'{loader}.dataset.{key}' for loader in _LOADERS for key in ('data_root', 'ann_file')),
    *(f'{loader}.dataset.proportion_file' for loader in _LOADERS),
    'test_cfg.out_dir',
)


def check_structure(name: str, config: Config) -> None:
    """Refuse values whose kind is not what the runner expects there.

    Args:
        name: Name of the stage, for the message.
        config: Its config.

    Raises:
        UserInputError: Naming the stage, the config key, the value and what is expected.
    """
    root = config._cfg_dict
    for key in _DICTS:
        _expect(name, key, _at(root, key), dict, 'a dict')
    for key in _LISTS_OF_DICTS:
        value = _at(root, key)
        _expect(name, key, value, (list, tuple), 'a list of dicts')
        for i, item in enumerate(value or ()):
            _expect(name, f'{key}.{i}', item, dict, 'a dict', optional=False)
    for key in _PATHS:
        _expect(name, key, _at(root, key), str, 'a path')


def _at(node: Any, key: str) -> Any:
    """Return what a key leads to, or None."""
    for part in key.split('.'):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _expect(
    name: str, key: str, value: Any, kinds: Any, expected: str, *, optional: bool = True
) -> None:
    if not isinstance(value, kinds) and not (optional and value is None):
        raise UserInputError(f"stage '{name}': {key} = {value!r} must be {expected}.")
