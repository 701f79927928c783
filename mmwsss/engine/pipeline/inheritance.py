"""Finds the order and the origin of stages in a dict that is merged from several files."""

import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import load

from mmwsss.structures import UserInputError
from mmwsss.structures.names import nearest


@dataclass(frozen=True)
class Origin:
    """Origin of a stage in a dict: the file that names its config, and its ``after``."""

    file: Path
    after: object = None


def stages_in_order(path: Path, stages: dict, origins: dict[str, Origin]) -> list[str]:
    """Put every stage behind its ``after``; several stages with the same one keep their order.

    Args:
        path: The pipeline.
        stages: Its merged ``stages``, with None for removed ones.
        origins: Origins of the stages.

    Raises:
        UserInputError: If one comes after a stage that does not exist, or stages come after each
            other in a circle.
    """
    anchors = {}
    for name, settings in stages.items():
        if isinstance(settings, dict):
            anchors[name] = settings.get('after')
        else:  # a removed stage keeps its place for those that come after it
            anchors[name] = origins[name].after if name in origins else None
        _check_anchor(path, name, anchors[name], stages)
    order: list[str] = []

    def place_after(anchor: str | None) -> None:
        for name in stages:
            if anchors[name] == anchor:
                order.append(name)
                place_after(name)

    place_after(None)
    for name in stages:
        if name not in order:
            raise UserInputError(
                f'{path}: {_circle(name, anchors)}. One of them must come after another stage.'
            )
    return order


def _check_anchor(path: Path, name: str, anchor: object, stages: dict) -> None:
    others = [other for other in stages if other != name]
    if anchor is not None and anchor not in others:
        hint = ', '.join(nearest(str(anchor), others) or others) or 'none'
        raise UserInputError(
            f'{path}: stages.{name} comes after {anchor!r}, which is not another stage. Nearest '
            f'names: {hint}.'
        )


def _circle(name: str, anchors: dict[str, Any]) -> str:
    """Describe the circle to which the anchors of a stage lead."""
    seen: list[str] = []
    while name not in seen:
        seen.append(name)
        name = anchors[name]
    circle = seen[seen.index(name) :]
    return ', '.join(f'stages.{stage} comes after {anchors[stage]!r}' for stage in circle)


def stage_origins(path: Path) -> dict[str, Origin]:
    """Find the file that names the config of every stage: the pipeline or one of its bases.

    The merged config does not tell, so every file with stages is run on its own.

    Raises:
        UserInputError: If a file cannot run on its own, or adds a stage without placing it.
    """
    origins: dict[str, Origin] = {}
    for base in Config._get_base_files(str(path)):
        origins |= stage_origins(
            Path(Config._get_cfg_path(base, str(path))[0])
        )  # may be a package's
    own = _own_stages(path)
    if not isinstance(own, dict):
        return {}
    if own.get('_delete_'):
        origins = {}
    inherited = list(origins)
    for name, settings in own.items():
        if name == '_delete_':
            continue
        written = settings if isinstance(settings, dict) else {}
        if inherited and name not in inherited and 'after' not in written:
            hint = ', '.join(nearest(name, inherited) or inherited)
            raise UserInputError(
                f'{path}: stages.{name} is not in the inherited pipeline; nearest names: {hint}. '
                f"If it is new, say where it goes, such as after='{inherited[-1]}'."
            )
        before = origins.get(name, Origin(path))
        file = path if 'config' in written else before.file
        kept = None if written.get('_delete_') else before.after
        origins[name] = Origin(file, written.get('after', kept))
    return origins


def _own_stages(path: Path) -> object:
    """Read the ``stages`` of a config file without inherited ones; empty if it has none."""
    if 'stages' not in path.read_text(encoding='utf-8'):
        return {}  # any config, which need not run on its own
    return _run_alone(path).get('stages', {})


def _run_alone(path: Path) -> dict:
    """Read the variables of a config file without inherited ones."""
    if path.suffix != '.py':
        return load(path)
    try:
        return runpy.run_path(str(path))
    except Exception as error:  # a config is user code
        raise UserInputError(
            f'{path}: with stages as a dict the file must run on its own, without '
            f'{{{{_base_...}}}}: {type(error).__name__}: {error}'
        ) from error
