"""The report on labels that a pipeline ends with."""

from pathlib import Path

from mmengine.registry import init_default_scope

from mmwsss.engine.console import say
from mmwsss.engine.label_report import (
    LabelSet,
    ReportSource,
    image_of_entry,
    is_current,
    write_label_report,
)
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.state.stage_state import StageResult
from mmwsss.registry import DATASETS

_REPORT = 'label_report.html'
_TRAINED_ON = 'seg_map_path'
_SCORES = '_scores'


def report_labels(
    stages: list[Stage], results: dict[str, StageResult], folder: Path, *, num_workers: int
) -> None:
    """Report on the labels that the last training takes, or else on the last ones.

    Beside them stand the other labels of their stage, and those of earlier stages whose scores it
    starts from. A report of the same labels, images and masks stays as it is. The results stand
    without a report: whatever goes wrong is one warning.

    Args:
        stages: The stages of a pipeline.
        results: Results of the finished ones by name.
        folder: Where the HTML file is written.
        num_workers: Processes for many images.
    """
    making = [stage for stage in stages if stage.makes_labels and stage.name in results]
    if not making:
        return
    try:
        source = _source(stages, making, results)
        path, note = folder / _REPORT, ''
        if is_current(path, source):
            note = ' (unchanged)'
        else:
            write_label_report(source, path, num_workers=num_workers)
        say(f'report on the labels{note}: {path.resolve().as_uri()}')
    except Exception as error:  # a pipeline of days does not fail by its last page
        line = ' '.join(str(error).split()) or type(error).__name__
        say(f'warning: no report on the labels: {line}')


def _source(
    stages: list[Stage], making: list[Stage], results: dict[str, StageResult]
) -> ReportSource:
    stage, name = _judged(stages, making)
    own = _sets(stage, results)
    labels = next(one for one in own if one.name == name)
    others = [*_earlier(stage, making, results), *(one for one in own if one is not labels)]
    init_default_scope('mmwsss')
    dataset = DATASETS.build(stage.config.test_dataloader.dataset)
    entries = (dataset.get_data_info(index) for index in range(len(dataset)))
    return ReportSource(
        labels=labels,
        others=tuple(others),
        classes=tuple(dataset.metainfo['classes']),
        palette=dataset.metainfo['palette'],
        images=tuple(map(image_of_entry, entries)),
    )


def _sets(stage: Stage, results: dict[str, StageResult]) -> list[LabelSet]:
    """List the labels that a stage gave; its other outputs are scores and proportions."""
    outputs = results[stage.name].outputs
    return [LabelSet(name, outputs[name]) for name in _label_names(stage) if name in outputs]


def _earlier(stage: Stage, making: list[Stage], results: dict[str, StageResult]) -> list[LabelSet]:
    """List the labels whose scores a stage starts from, the earliest first."""
    found = []
    for source in stage.takes.values():
        for maker in making:
            for one in _sets(maker, results):
                if source == f'{maker.name}.{one.name}{_SCORES}':
                    found += [*_earlier(maker, making, results), one]
    return found


def _judged(stages: list[Stage], making: list[Stage]) -> tuple[Stage, str]:
    """Find the stage and the name of the labels that the last training takes."""
    known = {stage.name: stage for stage in making}
    for stage in reversed(stages):
        for key, source in stage.takes.items():
            maker, _, name = source.partition('.')
            if key.rpartition('.')[2] == _TRAINED_ON and name in _label_names(known.get(maker)):
                return known[maker], name
    return making[-1], _label_names(making[-1])[-1]


def _label_names(stage: Stage | None) -> list[str]:
    return [] if stage is None else list(stage.config.test_cfg.generator.labels)
