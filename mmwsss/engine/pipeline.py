"""Run several stages, each with its own config, from weak labels to a segmentation model."""

import copy
import json
from pathlib import Path
from typing import TypeVar

from mmengine.dist import barrier, broadcast_object_list, is_main_process

from mmwsss.engine.loops.label_files import file_hash, fingerprint, write_json
from mmwsss.engine.ranks import connect_ranks
from mmwsss.engine.stage import StageResult, run_stage
from mmwsss.engine.stage_checks import check_stage, proportion_files
from mmwsss.engine.stages import Stage
from mmwsss.structures import UserInputError

_DONE = 'stage.json'
_STARTED = 'started.json'
# Settings that change how a stage runs but not what it makes.
_INDIFFERENT = {
    'default_hooks',
    'env_cfg',
    'launcher',
    'log_level',
    'log_processor',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
    'vis_backends',
    'visualizer',
    'work_dir',
}


_Value = TypeVar('_Value')


def run_pipeline(
    stages: list[Stage],
    work_dir: Path,
    *,
    only: list[str] | None = None,
    resume: bool = False,
    launcher: str = 'none',
) -> dict[str, StageResult]:
    """Run the stages in order and skip those that are finished with the same settings.

    Args:
        stages: The stages, see :func:`~mmwsss.engine.stages.load_stages`.
        work_dir: Every stage works in ``<work_dir>/<name>``.
        only: Names of the stages to run; the others must be finished if something is taken from
            them.
        resume: Let an unfinished training stage go on from its last checkpoint.
        launcher: How this process was started: ``none``, ``pytorch``, ``slurm`` or ``mpi``.

    Returns:
        The results of all finished stages by name.

    Raises:
        UserInputError: If `only` names an unknown stage, or something that a stage takes, reads or
            loads does not exist.
    """
    unknown = set(only or ()) - {stage.name for stage in stages}
    if unknown:
        raise UserInputError(
            f'--stages {sorted(unknown)}: the stages are {[stage.name for stage in stages]}.'
        )
    connect_ranks(launcher, copy.deepcopy(stages[0].config))
    for stage in stages:
        if not only or stage.name in only:
            check_stage(
                stage.name,
                stage.config,
                task=stage.task,
                tta=stage.tta,
                taken=frozenset(stage.takes),
            )
    results: dict[str, StageResult] = {}
    for stage in stages:
        selected = not only or stage.name in only
        result = _run_or_skip(stage, results, work_dir, selected, resume, launcher)
        if result is not None:
            results[stage.name] = result
    return results


def _run_or_skip(
    stage: Stage,
    results: dict[str, StageResult],
    work_dir: Path,
    selected: bool,
    resume: bool,
    launcher: str,
) -> StageResult | None:
    stage_dir = work_dir / stage.name
    if not selected:
        return _from_first_rank(_read_done(stage_dir, None))
    sources = _sources(stage, results)
    stamp = _stage_fingerprint(stage, sources)
    done = _from_first_rank(_read_done(stage_dir, stamp))
    if done is not None:
        _say(f"stage '{stage.name}' is finished: {stage_dir / _DONE}")
        return done
    _say(f"stage '{stage.name}' starts in {stage_dir}")
    resume = _from_first_rank(_start(stage_dir, stamp, resume))
    config = copy.deepcopy(stage.config)
    config.merge_from_dict(_taken_paths(stage, sources))
    result = run_stage(
        config, stage_dir, task=stage.task, tta=stage.tta, resume=resume, launcher=launcher
    )
    result.fingerprint = stamp
    if is_main_process():
        write_json(stage_dir / _DONE, result.to_dict())
    barrier()
    return result


def _start(stage_dir: Path, stamp: str, resume: bool) -> bool | None:
    """Note with which settings a stage starts; say whether it may go on from its checkpoint."""
    if not is_main_process():
        return None
    path = stage_dir / _STARTED
    same = path.is_file() and json.loads(path.read_text()).get('fingerprint') == stamp
    if resume and same:
        return True
    if resume and path.is_file():
        _say(f'{stage_dir} was started with other settings; it starts anew')
    (stage_dir / 'last_checkpoint').unlink(missing_ok=True)  # of a run with other settings
    write_json(path, dict(fingerprint=stamp))
    return False


def _sources(stage: Stage, results: dict[str, StageResult]) -> dict[str, StageResult]:
    """Find the results that a stage takes from, by config key."""
    sources = {}
    for key, source in stage.takes.items():
        name = source.split('.')[0]
        if name not in results:
            raise UserInputError(
                f"stage '{stage.name}' takes {key} from '{source}', but stage '{name}' is not "
                f'finished. Run it first, or leave --stages out.'
            )
        sources[key] = results[name]
    return sources


def _taken_paths(stage: Stage, sources: dict[str, StageResult]) -> dict[str, str]:
    """Give the paths that a stage takes, by config key."""
    paths = {}
    for key, result in sources.items():
        name, _, output = stage.takes[key].partition('.')
        paths[key] = result.outputs[output]
        if not Path(paths[key]).exists():
            raise UserInputError(
                f"stage '{stage.name}' takes {key} from '{name}.{output}', but {paths[key]} is "
                f"gone. Delete {name}/{_DONE} in the work folder to run stage '{name}' again."
            )
    return paths


def _stage_fingerprint(stage: Stage, sources: dict[str, StageResult]) -> str:
    """Hash what decides the result of a stage: settings, files, and the stages it takes from.

    Checkpoint and proportions count by their content. What is taken counts by the fingerprint of
    its stage, not by its path, which never changes.
    """
    load_from = stage.config.get('load_from')
    content = dict(
        config=_relevant(stage.config._cfg_dict.to_dict()),
        task=stage.task,
        tta=stage.tta,
        checkpoint=file_hash(load_from) if load_from else None,
        takes={key: (stage.takes[key], result.fingerprint) for key, result in sources.items()},
    )
    files = proportion_files(stage.config._cfg_dict, stage.task)
    if given := {key: path for key, path in files.items() if key not in sources}:
        content['proportions'] = {key: file_hash(path) for key, path in given.items()}
    return fingerprint(content)


def _relevant(node: object) -> object:
    if isinstance(node, dict):
        return {k: _relevant(child) for k, child in node.items() if k not in _INDIFFERENT}
    if isinstance(node, list | tuple):
        return [_relevant(child) for child in node]
    return node


def _read_done(stage_dir: Path, stamp: str | None) -> StageResult | None:
    path = stage_dir / _DONE
    if not is_main_process() or not path.is_file():
        return None
    content = json.loads(path.read_text())
    if stamp is not None and content['fingerprint'] != stamp:
        _say(f'{path} was made with other settings; the stage runs again')
        return None
    return StageResult.from_dict(content)


def _from_first_rank(value: _Value) -> _Value:
    values = [value]
    broadcast_object_list(values)
    return values[0]


def _say(line: str) -> None:
    if is_main_process():
        print(f'[pipeline] {line}', flush=True)
