"""Reads configs, and reports a mistake in one line that names the file and its line."""

import inspect
import os
import re
import traceback
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmwsss.structures import UserInputError
from mmwsss.structures.names import nearest

RUNNER_KEYS = {*inspect.signature(Runner).parameters, 'compile', 'tta_model', 'tta_pipeline'}
"""Config keys that something reads; a config may use others as its own variables."""

# mmengine's message about a dict that should be merged with None.
_REMOVED = re.compile(r"(\w+)=.* in child config .* is of type <class 'NoneType'>", re.DOTALL)
_SUFFIXES = ('.py', '.json', '.yaml', '.yml')


def read_config(path: str | os.PathLike) -> Config:
    """Read a config.

    Raises:
        UserInputError: If it does not exist, is not a config or cannot be run. The message names
            the file, which may be one of its bases, and the line.
    """
    if os.path.isdir(path):
        raise UserInputError(f'config {path} is a folder. Name a file in it.')
    if not os.path.isfile(path):
        raise UserInputError(
            f'config {path} does not exist. The configs of the project are in configs/; configs '
            'for prediction are written to the work folder when a pipeline ends.'
        )
    if Path(path).suffix not in _SUFFIXES:
        raise UserInputError(f'config {path} must end in {", ".join(_SUFFIXES)}.')
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is user code, so whatever it raises is a user error
        raise UserInputError(_explain(error, os.path.abspath(path))) from error


def _explain(error: Exception, path: str) -> str:
    steps = list(traceback.walk_tb(error.__traceback__))
    # mmengine reads the bases of a config recursively.
    read = [frame.f_locals.get('filename') for frame, _ in steps if _reads(frame.f_code.co_name)]
    files = [os.path.abspath(file) for file in read if isinstance(file, str)]
    opened = [file for file, name in zip(files, read, strict=False) if name]
    chain = list(dict.fromkeys(opened)) or [path]
    if len(opened) > 2 * len(chain) or isinstance(error, RecursionError):
        return f'config {path}: its `_base_` leads back to itself, through {", ".join(chain)}.'
    culprit = chain[-1]
    line = next((n for frame, n in reversed(steps) if frame.f_code.co_filename == culprit), None)
    if isinstance(error, SyntaxError):
        line, text = error.lineno or line, error.msg
    elif isinstance(error, FileNotFoundError) and error.errno is None:  # of mmengine
        text = f'a file named in `_base_` is missing: {error}'
    elif removed := _REMOVED.match(str(error)):
        text = (
            f'{removed[1]} was removed in `_base_` by setting it to None. To set it again, give '
            f'all of it: {removed[1]}=dict(_delete_=True, ...)'
        )
    else:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    place = f'{culprit}, line {line}' if line else culprit
    told = ' '.join(text.split())[:600]
    through = '' if culprit == path else f' (read by {path})'
    return f'config {place}{through}: {type(error).__name__}: {told}'


def _reads(function: str) -> bool:
    return function in ('_file2dict', '_is_lazy_import', '_parse_lazy_import')


def override(config: Config, key: str, value: Any, *, asked: str = '--cfg-options') -> None:
    """Set a key of a config, as requested by the command line or a pipeline.

    Args:
        config: The config.
        key: Names separated by dots; a number stands for an entry of a list.
        value: New value of the key; a dict is merged.
        asked: Where the request comes from, for the message.

    Raises:
        UserInputError: If there is no such key, or it leads into a list or value that does not
            exist.
    """
    first, known = key.partition('.')[0], {*config, *RUNNER_KEYS}
    if first not in known:
        hint = ', '.join(nearest(first, known)) or ', '.join(sorted(config))
        raise UserInputError(
            f'{asked} {key}: {config.filename} has no {first!r}. Nearest keys: {hint}.'
        )
    try:
        config.merge_from_dict({key: value})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = error.args[0] if error.args else error
        raise UserInputError(
            f'{asked} {key}={value} does not fit {config.filename}: {text}'
        ) from error


def use_test_time_augmentation(config: Config) -> None:
    """Replace the model and test pipeline with the config's ``tta_model`` and ``tta_pipeline``."""
    for key in ('tta_model', 'tta_pipeline'):
        if key not in config:
            raise UserInputError(f'{config.filename}: a test with --tta needs `{key}`.')
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
    config.tta_model.module = config.model
    config.model = config.tta_model
