"""Runs several stages, each with its own config, from weak labels to a segmentation model."""

import copy
import gc
import os
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mmwsss.engine.checks.preflight import preflight
from mmwsss.engine.console import say
from mmwsss.engine.folder_lock import hold_folder
from mmwsss.engine.pipeline.kept_scores import (
    check_space,
    count_as_missing,
    delete_taken_scores,
    makers_of_deleted,
)
from mmwsss.engine.pipeline.stage_run import (
    CONTENTS,
    run_or_skip,
    say_what_is_unmeasured,
    warn,
)
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.ranks import connect_ranks, on_first_rank
from mmwsss.engine.state.contents import Contents
from mmwsss.engine.state.stage_state import (
    StageResult,
    StageState,
    decide,
)
from mmwsss.structures import UserInputError


def run_pipeline(
    stages: list[Stage],
    work_dir: Path,
    *,
    only: list[str] | None = None,
    resume: bool = False,
    delete_scores: bool = False,
    launcher: str = 'none',
) -> dict[str, StageResult]:
    """Run the stages in order; skip stages already finished with the same settings and data.

    A finished label stage still looks at the files of every image, and makes again what is missing,
    damaged or made from another image.

    Args:
        stages: The stages, see :func:`~mmwsss.engine.pipeline.stages.load_stages`.
        work_dir: Every stage works in ``<work_dir>/<name>``.
        only: Names of the stages to run; the others must be finished if something is taken from
            them.
        resume: Let an unfinished training stage continue from its last checkpoint.
        delete_scores: Delete the kept scores of a label stage as soon as all stages that take them
            are finished. Stages stay finished without them; a stage that runs again has them made
            again.
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
        say_what_is_unmeasured(stage)
    stages = [stage for stage in stages if not stage.is_left_out]
    chosen = {stage.name for stage in stages if not only or stage.name in only}
    for stage in stages:
        if stage.name in chosen:
            taken = frozenset(stage.takes)
            preflight(stage.name, stage.config, task=stage.task, tta=stage.tta, taken=taken)
            check_space(stage, work_dir / stage.name)
    contents = Contents(work_dir / CONTENTS)
    run = _PipelineRun(stages, chosen, work_dir, contents, resume=resume, launcher=launcher)
    with hold_folder(work_dir):
        for stage in stages:
            run.make_or_look_up(stage)
            if delete_scores:
                for line in delete_taken_scores(stages, run.results, chosen, contents):
                    say(line)
            gc.collect()  # ends the data loaders' workers before the next stage starts its own
    return run.results


@dataclass
class _PipelineRun:
    """Stages that run one after the other, and their results so far, by name."""

    stages: list[Stage]
    chosen: set[str]
    work_dir: Path
    contents: Contents
    resume: bool
    launcher: str
    results: dict[str, StageResult] = field(default_factory=dict)

    def make_or_look_up(self, stage: Stage) -> None:
        """Make the result of a chosen stage, or look up that of another one if it exists."""
        if stage.name in self.chosen:
            self.results[stage.name] = self._make(stage)
            return
        state = StageState(self.work_dir / stage.name)
        result = on_first_rank(state.result)
        if result is not None:
            if _is_taken(stage, self.stages, self.chosen):
                _warn_if_changed(stage, state, self.results, self.contents)
            self.results[stage.name] = result

    def _make(self, stage: Stage) -> StageResult:
        state, taking = (
            StageState(self.work_dir / stage.name),
            with_taken_paths(stage, self.results),
        )
        with hold_folder(state.folder):
            return run_or_skip(
                taking,
                state,
                self.contents,
                partial(self._make_scores_again, stage),
                title=self._title(stage.name),
                resume=self.resume,
                launcher=self.launcher,
            )

    def _title(self, name: str) -> str:
        names = [stage.name for stage in self.stages]
        return f'stage {names.index(name) + 1} of {len(names)}: {name}'

    def _make_scores_again(self, stage: Stage) -> bool:
        """Make the deleted scores that a stage takes; tell if there were any."""
        makers = makers_of_deleted(stage, self.results)
        for name in makers:
            if name not in self.chosen:
                raise UserInputError(
                    f"stage '{stage.name}' needs scores of stage '{name}', which were deleted. "
                    'Name that stage in --stages as well, or leave --stages out.'
                )
            say(f"stage '{stage.name}' needs deleted scores: stage '{name}' makes them again")
            count_as_missing(self.results[name])
            self.results[name] = self._make(next(s for s in self.stages if s.name == name))
        return bool(makers)


def _is_taken(stage: Stage, stages: list[Stage], chosen: set[str]) -> bool:
    """Tell if a stage that runs takes something from this one."""
    running = [other for other in stages if other.name in chosen]
    sources = [source.partition('.')[0] for other in running for source in other.takes.values()]
    return stage.name in sources


def _warn_if_changed(
    stage: Stage, state: StageState, results: dict[str, StageResult], contents: Contents
) -> None:
    """Warn that a result is used although it would be different now."""
    try:
        taking = with_taken_paths(stage, results)
        decided = decide(taking.config, contents, task=stage.task, tta=stage.tta)
    except UserInputError:
        return  # its inputs are gone, so there is nothing to compare with
    _, reason = on_first_rank(lambda: state.finished(decided))
    if reason:
        warn(f"{reason}; the result of stage '{stage.name}' is taken as it is")


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
