"""Reads the stages of a pipeline's config, a list or a dict that other pipelines inherit."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsss.engine.pipeline.inheritance import stage_origins, stages_in_order
from mmwsss.structures import UserInputError, check_name
from mmwsss.structures.names import nearest

_KEYS = {'config': str, 'task': str, 'tta': bool, 'takes': dict, 'options': dict}
_LIST_KEYS = {'name': str, **_KEYS}
_DICT_KEYS = {'after': str, **_KEYS}


@dataclass(frozen=True)
class StageEntry:
    """A pipeline's entry for one stage, checked on its own.

    Attributes:
        name: Name of the stage.
        config: File of its config.
        takes: Config key -> ``'<stage>.<output>'`` of an earlier stage.
        task: ``'train'``, ``'test'``, or empty if the config decides.
        tta: Whether the test uses ``tta_model`` and ``tta_pipeline``.
        options: Config key -> value, set in the stage's config.
    """

    name: str
    config: Path
    takes: dict[str, str] = field(default_factory=dict)
    task: str = ''
    tta: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def stage_entries(config: Config) -> list[StageEntry]:
    """List the stages of a pipeline in order.

    ``stages`` is a list of dicts, or a dict of dicts by name, which is merged with that of
    ``_base_``. In a dict, ``None`` removes a stage or one of its ``takes``, ``after='name'`` places
    a new stage, and the path of a stage's config is relative to the file that names it. In a list,
    paths are relative to the pipeline.

    Raises:
        UserInputError: If there is no stage, an entry has a wrong or unknown key or no name, a name
            is repeated or unknown, stages come after each other in a circle, a config is missing,
            or a stage takes from one that does not come before it.
    """
    stages, filename = config.stages, config.filename
    if not isinstance(stages, dict | list | tuple) or not stages:
        raise UserInputError(
            f'{filename}: `stages` must be a dict or list of at least one stage, got {stages!r}.'
        )
    entries: list[StageEntry] = []
    for place, settings, file in _of_dict(config) if isinstance(stages, dict) else _of_list(config):
        known = [entry.name for entry in entries]
        check_name(place, settings['name'], dots=False)
        _check_values(filename, settings, file.parent / settings['config'], known=known)
        entries.append(StageEntry(**{**settings, 'config': file.parent / settings['config']}))
    return entries


def _of_list(config: Config) -> list[tuple[str, dict, Path]]:
    """Place, settings and file of every entry of a list."""
    path = Path(config.filename)
    found = [(f'{path}: stages[{i}]', entry, path) for i, entry in enumerate(config.stages)]
    for place, entry, _ in found:
        _check_settings(place, entry, keys=_LIST_KEYS, required=('name', 'config'))
    return found


def _of_dict(config: Config) -> list[tuple[str, dict, Path]]:
    """Place, settings and file of every entry of a dict, in order, without removed ones."""
    path = Path(config.filename)
    origins = stage_origins(path)
    found = []
    for name in stages_in_order(path, config.stages, origins):
        settings, place = config.stages[name], f'{path}: stages.{name}'
        if settings is None:
            continue
        if isinstance(settings, dict) and 'name' in settings:
            raise UserInputError(f'{place} already has a name, its key. Leave out `name`.')
        _check_settings(place, settings, keys=_DICT_KEYS, required=('config',))
        takes = {key: v for key, v in settings.get('takes', {}).items() if v is not None}
        rest = {key: value for key, value in settings.items() if key != 'after'}
        file = origins[name].file if name in origins else path
        found.append((place, {**rest, 'name': name, 'takes': takes}, file))
    if not found:
        raise UserInputError(f'{path}: all stages are removed; at least one must stay.')
    return found


def _check_settings(
    place: str, settings: object, *, keys: dict[str, type], required: tuple[str, ...]
) -> None:
    """Refuse invalid settings of a stage."""
    if not isinstance(settings, dict):
        lacking = ' and '.join(f'`{key}`' for key in required)
        raise UserInputError(f'{place} must be a dict with {lacking}, got {settings!r}.')
    for key in settings:
        if key not in keys:
            hint = ', '.join(nearest(key, keys)) or ', '.join(keys)
            raise UserInputError(
                f'{place} has the unknown key {key!r}. Nearest known keys: {hint}.'
            )
    for key, kind in keys.items():
        if not isinstance(settings.get(key, kind()), kind):
            raise UserInputError(
                f'{place}: {key} = {settings[key]!r} must be a {kind.__name__}, not a '
                f'{type(settings[key]).__name__}.'
            )
    lacking = ' and '.join(key for key in required if not settings.get(key))
    if lacking:
        raise UserInputError(f'{place} lacks {lacking}; its keys are {sorted(settings)}.')


def _check_values(filename: str, settings: dict, path: Path, *, known: list[str]) -> None:
    """Refuse a stage whose name, config, task or sources do not fit the pipeline."""
    name = settings['name']
    if name in known:
        raise UserInputError(f"{filename}: two stages are named '{name}'. Rename one of them.")
    if not path.is_file():
        raise UserInputError(
            f"{filename}: stage '{name}' names config {path}, which does not exist. Paths are "
            'relative to the pipeline config that names them.'
        )
    if settings.get('task', 'train') not in ('train', 'test'):
        raise UserInputError(
            f"{filename}: stage '{name}' has task = {settings['task']!r}, which must be "
            "'train' or 'test'."
        )
    for key, source in settings.get('takes', {}).items():
        if not isinstance(source, str) or source.count('.') < 1:
            raise UserInputError(
                f"{filename}: stage '{name}' takes {key} from {source!r}, which must be "
                "'<stage>.<output>'."
            )
        if source.split('.')[0] not in known:
            raise UserInputError(
                f"{filename}: stage '{name}' takes {key} from '{source}', but the stages "
                f'before it are {known}.'
            )
