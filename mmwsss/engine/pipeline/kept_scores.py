"""Scores that stages keep for later ones: their disk space, and their deletion after use."""

import os
from pathlib import Path

from mmengine.dist import barrier, is_main_process
from mmengine.registry import DefaultScope

from mmwsss.engine.folder_lock import hold_folder
from mmwsss.engine.labels.checks import score_strides
from mmwsss.engine.labels.disk_space import Forecast, forecast_scores
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.ranks import on_first_rank
from mmwsss.engine.state.contents import Contents, without_warnings
from mmwsss.engine.state.stage_state import StageResult
from mmwsss.registry import DATASETS
from mmwsss.structures import (
    DeletedScores,
    delete_scores,
    deleted_scores,
    forget_deleted,
    score_stamp,
)


def check_space(stage: Stage, folder: Path) -> None:
    """Refuse a label stage that has not started and whose scores cannot fit on the disk.

    Args:
        stage: A stage; only label stages are checked.
        folder: Its work folder.

    Raises:
        UserInputError: There is not enough space, or the data set cannot be read.
    """
    options = stage.config.get('test_cfg') or {}
    strides = score_strides(options.get('keep_scores', ())) if stage.makes_labels else {}
    out_dir = Path(options.get('out_dir') or folder / 'labels')
    begun = any((out_dir / f'{name}_scores').exists() for name in strides)
    # A list of images that an earlier stage writes does not exist yet.
    waits = any(key.startswith('test_dataloader.dataset') for key in stage.takes)
    if begun or waits or not strides:
        return

    def forecast() -> Forecast | None:
        scope = DefaultScope.overwrite_default_scope(stage.config.get('default_scope', 'mmwsss'))
        with scope, without_warnings():  # they appear when the stage builds the data set
            dataset = DATASETS.build(stage.config.test_dataloader.dataset)
        return forecast_scores(dataset, strides, out_dir)

    found = on_first_rank(forecast)
    if found is not None:
        found.check()


def delete_taken_scores(
    stages: list[Stage], results: dict[str, StageResult], running: set[str], contents: Contents
) -> list[str]:
    """Delete scores of label stages once all stages that take them are finished in this run.

    Scores that no stage takes are kept for whoever asked for them.

    Args:
        stages: The stages of the pipeline.
        results: Results of the finished stages by name.
        running: Names of the stages that this run makes or checks.
        contents: Hashes of files.

    Returns:
        One line per folder.
    """
    finished = running & results.keys()
    lines = []
    for maker in stages:
        if not maker.makes_labels or maker.name not in results:
            continue
        for label in score_strides(maker.config.test_cfg.get('keep_scores', ())):
            output = f'{label}_scores'
            takers = {s.name for s in stages if f'{maker.name}.{output}' in s.takes.values()}
            if takers and takers <= finished:
                folder = Path(results[maker.name].outputs[output])
                if freed := _delete(folder, contents):
                    lines.append(
                        f'{folder}: {freed / 1e6:.1f} MB of scores deleted, the stages that take '
                        f'them are finished ({", ".join(sorted(takers))})'
                    )
    return lines


def makers_of_deleted(stage: Stage, results: dict[str, StageResult]) -> list[str]:
    """Name the stages whose deleted scores a stage takes."""
    sources = [source.partition('.') for source in stage.takes.values()]
    deleted = on_first_rank(
        lambda: [name for name, _, output in sources if _lacks_some(results[name].outputs[output])]
    )
    return list(dict.fromkeys(deleted))


def _lacks_some(folder: str) -> bool:
    return any(not Path(folder, name).exists() for name in deleted_scores(folder))


def count_as_missing(result: StageResult) -> None:
    """Make the deleted scores of a stage count as missing, so that it makes them again."""
    if is_main_process():
        for path in result.outputs.values():
            if os.path.isdir(path):
                forget_deleted(path)
    barrier()


def _delete(folder: Path, contents: Contents) -> int:
    """Delete the complete score files of a folder; return the number of bytes."""
    with hold_folder(folder.parent, subfolders=[folder]):
        files = on_first_rank(lambda: sorted(map(str, folder.rglob('*.npz'))))
        hashes = contents.of_files(files)

        def delete() -> int:
            known = {}
            for file, digest in zip(files, hashes, strict=True):
                if (stamp := score_stamp(file)) is not None:
                    known[str(Path(file).relative_to(folder))] = DeletedScores(digest, stamp)
            freed = sum((folder / name).stat().st_size for name in known)
            if known:
                delete_scores(folder, known)
            return freed

        return on_first_rank(delete)
