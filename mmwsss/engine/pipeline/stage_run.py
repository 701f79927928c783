"""Runs a stage in its folder unless it is finished, and keeps its state."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mmengine.dist import barrier

from mmwsss.engine.console import say
from mmwsss.engine.folder_lock import hold_folder
from mmwsss.engine.pipeline.report import minutes
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
from mmwsss.engine.state.versions import made_by
from mmwsss.structures import UserInputError

CONTENTS = 'contents.json'


def run_single(
    stage: Stage, work_dir: Path, *, resume: bool = False, launcher: str = 'none'
) -> StageResult:
    """Run one stage in its own folder, finished or not.

    Args:
        stage: The stage, which takes nothing.
        work_dir: Its folder.
        resume: Let a training stage continue from its last checkpoint, even with other settings,
            such as more iterations.
        launcher: How this process was started.
    """
    connect_ranks(launcher, copy.deepcopy(stage.config))
    say_what_is_unmeasured(stage)
    with hold_folder(work_dir):
        state, contents = StageState(work_dir), Contents(work_dir / CONTENTS)
        decided = decide(stage.config, contents, task=stage.task, tta=stage.tta)
        resume_from = None
        if resume and stage.task == 'train':
            resume_from = _own_or_any_checkpoint(stage, state, decided)
        return _run(
            stage,
            state,
            decided,
            contents,
            title=f'stage 1 of 1: {stage.name}',
            resume_from=resume_from,
            launcher=launcher,
        )


def run_or_skip(
    stage: Stage,
    state: StageState,
    contents: Contents,
    make_again: Callable[[], bool],
    *,
    title: str,
    resume: bool,
    launcher: str,
) -> StageResult:
    """Run a stage unless it is finished with the same settings and data.

    Args:
        stage: The stage, with the paths that it takes.
        state: Its state.
        contents: Hashes of files.
        make_again: Makes deleted scores that the stage takes; tells if there were any.
        title: The stage and its place, such as ``stage 2 of 5: labels``.
        resume: Let an unfinished training stage continue from its last checkpoint.
        launcher: How this process was started.
    """
    decided = decide(stage.config, contents, task=stage.task, tta=stage.tta)
    done, reason = on_first_rank(lambda: state.finished(decided))
    if reason:
        say(f"{reason}; stage '{stage.name}' runs again")
    if done is not None and not stage.makes_labels:
        say(f'{title} is finished')
        return done
    if done is None and make_again():
        decided = decide(stage.config, contents, task=stage.task, tta=stage.tta)
    resume_from = None
    if resume and done is None and stage.task == 'train':
        resume_from = _checkpoint_to_resume(state, decided)
    return _run(
        stage,
        state,
        decided,
        contents,
        title=title,
        make_again=make_again,
        known=done,
        resume_from=resume_from,
        launcher=launcher,
    )


def _checkpoint_to_resume(state: StageState, decided: Decided) -> str | None:
    path, trouble = on_first_rank(lambda: state.checkpoint(decided.stamp))
    warn(trouble)
    if path is None:
        changes = on_first_rank(lambda: state.changes_since_start(decided))
        why = f' (other settings or data: {", ".join(changes)})' if changes else ''
        say(f'{state.folder} has no checkpoint to go on from{why}; the training starts anew')
    return path


def _own_or_any_checkpoint(stage: Stage, state: StageState, decided: Decided) -> str | None:
    """Find the checkpoint to resume from: the stage's own, or else one from other settings.

    Raises:
        UserInputError: If it is from another run and nothing would be left to train.
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
            warn(
                f'{path} was written with other settings or data. The training goes on from it, '
                'with the schedule of learning rates that it holds'
            )
    warn(trouble)
    if path is None:
        say(f'{state.folder} has no checkpoint to go on from; the training starts anew')
    return path


def _run(
    stage: Stage,
    state: StageState,
    decided: Decided,
    contents: Contents,
    *,
    title: str,
    resume_from: str | None,
    launcher: str,
    known: StageResult | None = None,
    make_again: Callable[[], bool] = lambda: False,
) -> StageResult:
    if known is None:
        say(title)
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
            say(f'{title} is finished')
            return replace(known, outputs=loop.outputs)
        if make_again():
            decided = decide(stage.config, contents, task=stage.task, tta=stage.tta)
            return _run(
                stage, state, decided, contents, title=title, resume_from=None, launcher=launcher
            )
        say(title)
    # Before the run, because the checkout may change while it lasts.
    made = on_first_rank(lambda: made_by(stage.config, seed=runner.seed))
    state.start(decided)
    result = replace(run_built(runner, stage.task), made=made)
    state.finish(decided, result)
    say(f'  finished in {minutes(result.seconds)}')
    barrier()
    return result


def say_what_is_unmeasured(stage: Stage) -> None:
    """Report which tests and validations of a stage are left out for lack of data."""
    if stage.is_left_out:
        say(f"stage '{stage.name}' is left out: the data have no {stage.unmeasured['test']}")
    elif stage.task == 'train' and 'val' in stage.unmeasured:
        lack = stage.unmeasured['val']
        say(f"stage '{stage.name}' trains without validation: the data have no {lack}")


def warn(line: str) -> None:
    """Print a warning, if there is one."""
    if line:
        say(f'warning: {line}')
