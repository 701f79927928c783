"""The state of a stage: what determined its result, if it is finished, where it resumes.

A stage's folder has ``started.json`` from its start and ``stage.json`` once it is finished. Both
record what determined the result. ``stage.json`` is removed when the stage starts again, so it
never describes files that another run has begun to replace. Checkpoints carry the fingerprint of
the stage that wrote them. Only this module reads and writes the state.
"""

import math
import os
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import init_default_scope

from mmwsss.checkpoints import load_checkpoint_file
from mmwsss.engine.ranks import on_first_rank
from mmwsss.engine.state.contents import Contents
from mmwsss.engine.state.fingerprints import fingerprint
from mmwsss.engine.state.settings import by_content, decisive_settings, loader_datasets, named_paths
from mmwsss.structures import UserInputError, read_json, write_json
from mmwsss.structures.atomic_files import write_atomically

_DONE = 'stage.json'
_STARTED = 'started.json'
_LAST = 'last_checkpoint'


@dataclass
class StageResult:
    """Results of a stage.

    Attributes:
        outputs: Output name -> path: ``checkpoint`` of a training (and the folder
            ``training_cams``, with a :class:`TrainingCAMsHook`), one folder per label name (and
            ``<label name>_scores``) and files ``<label name>_proportions`` of a label stage.
        metrics: Metric name -> value in the metric's own unit (mIoU in percent).
        seconds: Wall time.
        made: With which config, code and packages it was made, when and where, see
            :func:`~mmwsss.engine.state.versions.made_by`.
    """

    outputs: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    made: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict:
        """Convert the fields to plain JSON values; a metric that is not a number becomes null."""
        metrics = {k: v if math.isfinite(v) else None for k, v in self.metrics.items()}
        return {**asdict(self), 'metrics': metrics}

    @classmethod
    def from_dict(cls, content: dict) -> 'StageResult':
        """Read the result of :meth:`to_dict`; other keys are ignored.

        Raises:
            ValueError: If the content has another form.
        """
        outputs, metrics = content.get('outputs'), content.get('metrics')
        seconds, made = content.get('seconds'), content.get('made')
        if not (
            isinstance(outputs, dict)
            and all(isinstance(path, str) for path in outputs.values())
            and isinstance(metrics, dict)
            and all(value is None or _is_number(value) for value in metrics.values())
            and _is_number(seconds)
        ):
            raise ValueError('expected `outputs`, `metrics` and `seconds` of a finished stage')
        numbers = {k: math.nan if v is None else float(v) for k, v in metrics.items()}
        return cls(outputs, numbers, float(seconds), made if isinstance(made, dict) else {})


@dataclass(frozen=True)
class Decided:
    """What determines the result of a stage.

    Attributes:
        parts: Fingerprint of each part: top-level settings, and the files that a data set lists.
    """

    parts: dict[str, str]

    @property
    def stamp(self) -> str:
        """Single fingerprint of all parts."""
        return fingerprint(self.parts)

    def changes_since(self, other: dict[str, str]) -> list[str]:
        """Name the parts that differ from `other`."""
        keys = sorted({*self.parts, *other})
        return [key for key in keys if self.parts.get(key) != other.get(key)]


def decide(config: Config, contents: Contents, *, task: str, tta: bool = False) -> Decided:
    """Find what determines the result of a stage, shared among all ranks.

    Settings are normalised (:mod:`mmwsss.engine.state.settings`). Data, checkpoints, initial
    weights and any other file or folder that they name count by content, not by location.

    Args:
        config: The stage's config, with the paths that it takes from earlier stages.
        contents: Hashes of files.
        task: ``'train'`` or ``'test'``.
        tta: Whether the test uses ``tta_model`` and ``tta_pipeline``.

    Raises:
        UserInputError: If a data set cannot be read.
    """
    init_default_scope(config.get('default_scope', 'mmwsss'))
    plain = config._cfg_dict.to_dict()
    settings = decisive_settings(plain, task, tta=tta)
    paths = on_first_rank(lambda: sorted(set(named_paths(settings))))
    hashes = {path: contents.of_path(path) for path in paths}
    parts = {key: fingerprint(by_content(value, hashes)) for key, value in settings.items()}
    for key, dataset in loader_datasets(plain, task):
        parts[f'files of {key}'] = contents.of_dataset(dataset)
    return Decided(parts)


class StageState:
    """Reads and writes the state of a stage; only the first rank writes.

    Args:
        folder: Folder of the stage.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def result(self) -> StageResult | None:
        """Result of the finished stage, whatever determined it; None if it is not finished.

        Raises:
            UserInputError: If ``stage.json`` is damaged. Running the stage again repairs it.
        """
        path = self.folder / _DONE
        if not path.exists():
            return None
        try:
            result = StageResult.from_dict(_read_state(path))
        except ValueError as error:
            raise UserInputError(
                f'{path} is damaged: {error}. Run the stage again without --stages, or delete this '
                'file to repeat the stage from the start.'
            ) from error
        # Relative paths are below the folder of the stage, which may have been moved.
        folder = self.folder.absolute()
        outputs = {name: os.path.join(folder, output) for name, output in result.outputs.items()}
        return replace(result, outputs=outputs)

    def finished(self, decided: Decided) -> tuple[StageResult | None, str]:
        """Result of the stage if it is finished and still up to date, or else the reason."""
        path = self.folder / _DONE
        if not path.exists():
            return None, ''
        try:
            result = self.result()
            parts = _parts(_read_state(path))
        except ValueError:
            return (
                None,
                f'{path} is damaged (with --resume, training continues from its checkpoint)',
            )
        changes = decided.changes_since(parts)
        if changes:
            return None, f'{path} was made with other settings or data: {", ".join(changes)}'
        outputs = result.outputs if result else {}
        gone = [output for output in outputs.values() if not os.path.exists(output)]
        return (None, f'{gone[0]} is gone') if gone else (result, '')

    def start(self, decided: Decided) -> None:
        """Record that the stage has started and is thus no longer finished."""
        if is_main_process():
            (self.folder / _DONE).unlink(missing_ok=True)
            write_json(self.folder / _STARTED, dict(decided=decided.parts))

    def finish(self, decided: Decided, result: StageResult) -> None:
        """Note that the stage is finished."""
        if is_main_process():
            outputs = {name: self._below(output) for name, output in result.outputs.items()}
            content = {**result.to_dict(), 'outputs': outputs, 'decided': decided.parts}
            write_json(self.folder / _DONE, content)

    def _below(self, output: str) -> str:
        relative = os.path.relpath(output, self.folder)
        return output if relative.startswith('..') else relative

    def changes_since_start(self, decided: Decided) -> list[str]:
        """Name the parts that changed since the stage was last started."""
        try:
            return decided.changes_since(_parts(_read_state(self.folder / _STARTED)))
        except ValueError:  # never started, or not readable any more
            return []

    def checkpoint(self, stamp: str | None = None) -> tuple[str | None, str]:
        """Find the last complete checkpoint of the stage.

        This is the one that ``last_checkpoint`` names, or a later one, because a kill may come
        between writing the two files. If that one is missing or damaged, it is the newest of the
        others.

        Args:
            stamp: Fingerprint of what determined the stage that wrote it; None accepts any.

        Returns:
            The path, or None if there is no such checkpoint; and what is wrong with the one that
            ``last_checkpoint`` names, or ''.
        """
        named = self._named_checkpoint()
        files = self.folder.glob('*.pth')
        others = [path for path in files if not path.name.startswith('best_')]
        others.sort(key=lambda path: -path.stat().st_mtime_ns)
        later = [path for path in others if named and self._is_later(path, named[0])]
        trouble = ''
        for path in dict.fromkeys([*later, *named, *others]):
            try:
                meta = checkpoint_meta(path)
            except (OSError, RuntimeError, ValueError) as error:
                trouble = trouble or (f'{error}' if path in named else '')
                continue
            if stamp in (None, meta.get('stage')):
                return str(path), trouble
        return None, trouble

    def name_last(self, path: str) -> None:
        """Make ``last_checkpoint`` name a checkpoint, in case a kill prevented that."""
        if self._named_checkpoint() != [Path(path)]:
            write_atomically(self.folder / _LAST, path.encode())

    def _is_later(self, path: Path, named: Path) -> bool:
        """Tell if a checkpoint has a later iteration and was written after the other was recorded.

        In a copied folder the time on its own would be misleading.
        """
        noted = (self.folder / _LAST).stat().st_mtime_ns
        return _number(path) > _number(named) and path.stat().st_mtime_ns >= noted

    def _named_checkpoint(self) -> list[Path]:
        try:
            name = (self.folder / _LAST).read_text().strip()
            path = self.folder / name  # mmengine writes an absolute path
            # The folder may have been moved since then.
            moved = self.folder / path.name
            return [path if path.is_file() or not moved.is_file() else moved] if name else []
        except (OSError, ValueError):  # missing, not text, or not a path
            return []


def _number(path: Path) -> int:
    """Iteration or epoch in a checkpoint's name."""
    numbers = re.findall(r'\d+', path.stem)
    return int(numbers[-1]) if numbers else -1


def checkpoint_meta(path: str | Path) -> dict:
    """Read a whole checkpoint to check that training can resume from it; return its ``meta``."""
    content = load_checkpoint_file(path, map_location='cpu')
    keys = {'meta', 'state_dict', 'message_hub'}
    if not isinstance(content, dict) or not keys <= content.keys():
        raise ValueError(f'{path} is not a checkpoint of a training')
    meta = content['meta']
    if not isinstance(meta, dict) or not all(type(meta.get(k)) is int for k in ('iter', 'epoch')):
        raise ValueError(f'{path} does not record its iteration')
    return meta


def _read_state(path: Path) -> dict:
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected an object, got {type(content).__name__}')
    return content


def _parts(content: dict) -> dict[str, str]:
    parts = content.get('decided')
    if not isinstance(parts, dict) or not all(isinstance(v, str) for v in parts.values()):
        raise ValueError('`decided` is missing, so it is unknown what the stage was made from')
    return parts


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
