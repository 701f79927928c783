"""What a pipeline's config says of its stages: a list, or a dict that other pipelines inherit."""

import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import load

from mmwsss.engine.config.call_checks import nearest
from mmwsss.structures import UserInputError, check_name

_KEYS = {'name': str, 'config': str, 'task': str, 'tta': bool, 'takes': dict}


@dataclass(frozen=True)
class StageEntry:
    """What a pipeline says of one stage, checked by itself.

    Attributes:
        name: Name of the stage.
        config: File of its config.
        takes: Config key -> ``'<stage>.<output>'`` of an earlier stage.
        task: ``'train'``, ``'test'``, or empty if the config decides.
        tta: Whether the test uses ``tta_model`` and ``tta_pipeline``.
    """

    name: str
    config: Path
    takes: dict[str, str] = field(default_factory=dict)
    task: str = ''
    tta: bool = False


def stage_entries(config: Config) -> list[StageEntry]:
    """List the stages of a pipeline in their order.

    ``stages`` is a list of dicts, or a dict of dicts by name, which merges with that of ``_base_``.
    There ``None`` removes a stage, ``after='name'`` says where a new one goes, and the path of a
    stage's config is relative to the file that names it. In a list it is relative to the pipeline.

    Raises:
        UserInputError: If there is no stage, an entry has a wrong or unknown key or no name, a
            name is used twice or unknown, a config is missing, or a stage takes from one that
            does not come before it.
    """
    stages, filename = config.stages, config.filename
    if not isinstance(stages, dict | list | tuple) or not stages:
        raise UserInputError(
            f'{filename}: `stages` must be a dict or list of at least one stage, got {stages!r}.'
        )
    entries: list[StageEntry] = []
    for place, settings, file in _of_dict(config) if isinstance(stages, dict) else _of_list(config):
        known = [entry.name for entry in entries]
        _check_settings(place, settings)
        _check_values(filename, settings, file.parent / settings['config'], known=known)
        entries.append(StageEntry(**{**settings, 'config': file.parent / settings['config']}))
    return entries


def _of_list(config: Config) -> list[tuple[str, Any, Path]]:
    """Place, settings and file of every entry of a list."""
    path = Path(config.filename)
    return [(f'{path}: stages[{i}]', entry, path) for i, entry in enumerate(config.stages)]


def _of_dict(config: Config) -> list[tuple[str, Any, Path]]:
    """Place, settings and file of every entry of a dict, in order, without what is removed."""
    path = Path(config.filename)
    files = _naming_files(path)
    found = []
    for name in _in_order(path, config.stages):
        settings, place = config.stages[name], f'{path}: stages.{name}'
        if settings is None:
            continue
        if isinstance(settings, dict):
            if 'name' in settings:
                raise UserInputError(f'{place} has a `name` already: its key.')
            rest = {key: value for key, value in settings.items() if key != 'after'}
            settings = {'name': name, **rest}
        found.append((place, settings, files.get(name, path)))
    if not found:
        raise UserInputError(f'{path}: all stages are removed; at least one must stay.')
    return found


def _in_order(path: Path, stages: dict) -> list[str]:
    """Put every stage that says ``after`` behind the one that it names."""
    order = list(stages)
    for name, settings in stages.items():
        if not isinstance(settings, dict) or 'after' not in settings:
            continue
        anchor, others = settings['after'], [other for other in order if other != name]
        if anchor not in others:
            hint = ', '.join(nearest(str(anchor), others) or others) or 'none'
            raise UserInputError(
                f'{path}: stages.{name} comes after {anchor!r}, which is no other stage. The '
                f'nearest: {hint}.'
            )
        others.insert(others.index(anchor) + 1, name)
        order = others
    return order


def _naming_files(path: Path) -> dict[str, Path]:
    """Find the file that names the config of every stage: the pipeline or one of its bases.

    The merged config does not tell, so every file is run by itself.
    """
    alone = _run_alone(path)
    bases, own = alone.get('_base_', []), alone.get('stages', {})
    files: dict[str, Path] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        files |= _naming_files(path.parent / base)
    if not isinstance(own, dict):
        return {}
    if own.get('_delete_'):
        files = {}
    inherited = list(files)
    for name, settings in own.items():
        is_dict = isinstance(settings, dict)
        if inherited and name not in inherited and not (is_dict and 'after' in settings):
            hint = ', '.join(nearest(name, inherited) or inherited)
            raise UserInputError(
                f'{path}: stages.{name} is not in the pipeline that it inherits; the nearest: '
                f"{hint}. A new stage says where it goes: after='{inherited[-1]}'."
            )
        if name not in files or (is_dict and 'config' in settings):
            files[name] = path
    return files


def _run_alone(path: Path) -> dict:
    """Read the variables of a config file without what it inherits."""
    if path.suffix != '.py':
        return load(path)
    try:
        return runpy.run_path(str(path))
    except Exception as error:  # a config is code of the user's
        raise UserInputError(
            f'{path}: a pipeline that is inherited must run by itself, without '
            f'{{{{_base_...}}}}: {type(error).__name__}: {error}'
        ) from error


def _check_settings(place: str, settings: object) -> None:
    """Refuse what cannot be the settings of a stage."""
    if not isinstance(settings, dict):
        raise UserInputError(
            f'{place} must be a dict with `config` and, in a list, `name`, got {settings!r}.'
        )
    for key in settings:
        if key not in _KEYS:
            hint = ', '.join(nearest(key, _KEYS)) or ', '.join(_KEYS)
            raise UserInputError(
                f'{place} has the unknown key {key!r}. The nearest known keys: {hint}.'
            )
    for key, kind in _KEYS.items():
        if not isinstance(settings.get(key, kind()), kind):
            raise UserInputError(
                f'{place}: {key} = {settings[key]!r} must be a {kind.__name__}, not a '
                f'{type(settings[key]).__name__}.'
            )
    lacking = [key for key in ('name', 'config') if not settings.get(key)]
    if lacking:
        raise UserInputError(f'{place} lacks {" and ".join(lacking)}; it has {sorted(settings)}.')
    check_name(place, settings['name'], dots=False)


def _check_values(filename: str, settings: dict, path: Path, *, known: list[str]) -> None:
    """Refuse a stage whose name, config, task or sources do not fit the pipeline."""
    name = settings['name']
    if name in known:
        raise UserInputError(f"{filename}: two stages are named '{name}'.")
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
