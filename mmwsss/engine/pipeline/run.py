"""Run several stages, each with its own config, from weak labels to a segmentation model."""

import copy
import gc
import math
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from mmengine.dist import barrier, is_main_process

from mmwsss.engine.checks.preflight import preflight
from mmwsss.engine.folder_lock import hold_folder
from mmwsss.engine.pipeline.stage import build_runner, run_built
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.ranks import connect_ranks, on_first_rank
from mmwsss.engine.state.contents import Contents
from mmwsss.engine.state.stage_state import (
    Decided,
    StageResult,
    StageState,
    checkpoint_meta,
    decide,
)
from mmwsss.structures import UserInputError

_CONTENTS = 'contents.json'


def run_pipeline(
    stages: list[Stage],
    work_dir: Path,
    *,
    only: list[str] | None = None,
    resume: bool = False,
    launcher: str = 'none',
) -> dict[str, StageResult]:
    """Run the stages in order; skip those that are finished with the same settings and data.

    A label stage that is finished still looks at the files of every image, and makes again what is
    missing, damaged or of another image.

    Args:
        stages: The stages, see :func:`~mmwsss.engine.pipeline.stages.load_stages`.
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
        _say_what_is_unmeasured(stage)
    stages = [stage for stage in stages if not stage.is_left_out]
    for stage in stages:
        if not only or stage.name in only:
            preflight(
                stage.name,
                stage.config,
                task=stage.task,
                tta=stage.tta,
                taken=frozenset(stage.takes),
            )
    contents = Contents(work_dir / _CONTENTS)
    results: dict[str, StageResult] = {}
    with hold_folder(work_dir):
        for stage in stages:
            state = StageState(work_dir / stage.name)
            if only and stage.name not in only:
                result = on_first_rank(state.result)
                if result is not None and _is_taken(stage, stages, only):
                    _warn_if_changed(stage, state, results, contents)
            else:
                taking = with_taken_paths(stage, results)
                with hold_folder(state.folder):
                    result = _run_or_skip(taking, state, contents, resume=resume, launcher=launcher)
            if result is not None:
                results[stage.name] = result
            gc.collect()  # ends the data loaders' workers before the next stage starts its own
    return results


def run_single(
    stage: Stage, work_dir: Path, *, resume: bool = False, launcher: str = 'none'
) -> StageResult:
    """Run one stage in its own folder, finished or not.

    Args:
        stage: The stage; it takes nothing.
        work_dir: Its folder.
        resume: Let a training go on from its last checkpoint, also with other settings, such as
            more iterations.
        launcher: How this process was started.
    """
    connect_ranks(launcher, copy.deepcopy(stage.config))
    _say_what_is_unmeasured(stage)
    with hold_folder(work_dir):
        state, contents = StageState(work_dir), Contents(work_dir / _CONTENTS)
        decided = decide(stage.config, contents, task=stage.task, tta=stage.tta)
        resume_from = None
        if resume and stage.task == 'train':
            resume_from = _own_or_any_checkpoint(stage, state, decided)
        return _run(stage, state, decided, contents, resume_from=resume_from, launcher=launcher)


def _run_or_skip(
    stage: Stage, state: StageState, contents: Contents, *, resume: bool, launcher: str
) -> StageResult:
    decided = decide(stage.config, contents, task=stage.task, tta=stage.tta)
    done, reason = on_first_rank(lambda: state.finished(decided))
    if reason:
        _say(f"{reason}; stage '{stage.name}' runs again")
    if done is not None and not stage.makes_labels:
        _say(f"stage '{stage.name}' is finished: {state.folder}")
        return done
    resume_from = None
    if resume and done is None and stage.task == 'train':
        resume_from = _checkpoint_to_resume(state, decided)
    return _run(
        stage, state, decided, contents, known=done, resume_from=resume_from, launcher=launcher
    )


def _checkpoint_to_resume(state: StageState, decided: Decided) -> str | None:
    path, trouble = on_first_rank(lambda: state.checkpoint(decided.stamp))
    _warn(trouble)
    if path is None:
        changes = on_first_rank(lambda: state.changes_since_start(decided))
        why = f' (other settings or data: {", ".join(changes)})' if changes else ''
        _say(f'{state.folder} has no checkpoint to go on from{why}; the training starts anew')
    return path


def _own_or_any_checkpoint(stage: Stage, state: StageState, decided: Decided) -> str | None:
    """Find the checkpoint to resume from: the own one, or else one of other settings.

    Raises:
        UserInputError: If that one is of another run, and nothing would be left to train.
    """
    path, trouble = on_first_rank(lambda: state.checkpoint(decided.stamp))
    if path is None:
        path, trouble = on_first_rank(state.checkpoint)
        if path is not None:
            meta, loop = on_first_rank(lambda: checkpoint_meta(path)), stage.config.train_cfg
            if meta['iter'] >= loop.get('max_iters', math.inf) or (
                meta['epoch'] >= loop.get('max_epochs', math.inf)
            ):
                raise UserInputError(
                    f'{path} was written with other settings or data, and nothing is left to '
                    'train. Train longer (train_cfg), or leave --resume out to train anew.'
                )
            _warn(
                f'{path} was written with other settings or data. The training goes on from it, '
                'with the schedule of learning rates that it holds'
            )
    _warn(trouble)
    if path is None:
        _say(f'{state.folder} has no checkpoint to go on from; the training starts anew')
    return path


def _is_taken(stage: Stage, stages: list[Stage], only: list[str]) -> bool:
    """Say if a stage that runs takes something from this one."""
    running = [other for other in stages if other.name in only]
    sources = [source.partition('.')[0] for other in running for source in other.takes.values()]
    return stage.name in sources


def _warn_if_changed(
    stage: Stage, state: StageState, results: dict[str, StageResult], contents: Contents
) -> None:
    """Say that a result which is taken as it is would be another one now."""
    try:
        taking = with_taken_paths(stage, results)
        decided = decide(taking.config, contents, task=stage.task, tta=stage.tta)
    except UserInputError:
        return  # what it was made from is gone: nothing to compare with
    _, reason = on_first_rank(lambda: state.finished(decided))
    if reason:
        _warn(f"{reason}; the result of stage '{stage.name}' is taken as it is")


def _run(
    stage: Stage,
    state: StageState,
    decided: Decided,
    contents: Contents,
    *,
    resume_from: str | None,
    launcher: str,
    known: StageResult | None = None,
) -> StageResult:
    runner = build_runner(
        stage.config,
        state.folder,
        task=stage.task,
        tta=stage.tta,
        resume_from=resume_from,
        stamp=decided.stamp,
        contents_file=contents.path,
        launcher=launcher,
    )
    if known is not None:
        loop = runner.test_loop
        if on_first_rank(lambda: loop.is_complete):
            _say(f"stage '{stage.name}' is finished: {state.folder}")
            return replace(known, outputs=loop.outputs)
    _say(f"stage '{stage.name}' starts in {state.folder}")
    state.start(decided)
    result = run_built(runner, stage.task)
    state.finish(decided, result)
    barrier()
    return result


def with_taken_paths(stage: Stage, results: dict[str, StageResult]) -> Stage:
    """Fill what a stage takes into its config."""
    paths = {}
    for key, source in stage.takes.items():
        name, _, output = source.partition('.')
        if name not in results:
            raise UserInputError(
                f"stage '{stage.name}' takes {key} from '{source}', but stage '{name}' is not "
                f'finished. Run it first, or leave --stages out.'
            )
        path = results[name].outputs.get(output)
        if path is None:
            raise UserInputError(
                f"stage '{stage.name}' takes {key} from '{source}', but stage '{name}' gave only "
                f'{sorted(results[name].outputs)}.'
            )
        paths[key] = path
        if not on_first_rank(partial(os.path.exists, path)):
            raise UserInputError(
                f"stage '{stage.name}' takes {key} from '{source}', but {path} is gone. Run stage "
                f"'{name}' again, or leave --stages out."
            )
    config = copy.deepcopy(stage.config)
    config.merge_from_dict(paths)
    return replace(stage, config=config)


def _say_what_is_unmeasured(stage: Stage) -> None:
    if stage.is_left_out:
        _say(f"stage '{stage.name}' is left out: the data have no {stage.unmeasured['test']}")
    elif stage.task == 'train' and 'val' in stage.unmeasured:
        lack = stage.unmeasured['val']
        _say(f"stage '{stage.name}' trains without validation: the data have no {lack}")


def _say(line: str) -> None:
    if is_main_process():
        print(f'[pipeline] {line}', flush=True)


def _warn(line: str) -> None:
    if line:
        _say(f'warning: {line}')
