"""Chooses the background of a label stage without masks, and writes it as a config."""

import copy
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from pprint import pformat

from mmengine.registry import DefaultScope

from mmwsss.engine.checks.preflight import preflight
from mmwsss.engine.folder_lock import hold_folder
from mmwsss.engine.pipeline.run import with_taken_paths
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.state.stage_state import StageState
from mmwsss.evaluation.seed_threshold import exponent_of
from mmwsss.registry import DATASETS, type_name
from mmwsss.structures import UserInputError
from mmwsss.structures.atomic_files import write_atomically

_METRIC = 'SeedThresholdWithoutMasks'
_OPTIONS = {'ConstantBackground': 'threshold', 'PowerBackground': 'alpha'}
"""Option to choose, by background."""


@dataclass(frozen=True)
class BackgroundChoice:
    """A background that was chosen without masks.

    Attributes:
        labels: Names of the labels that start from it.
        option: The option of the background, ``'threshold'`` or ``'alpha'``.
        value: Its chosen value.
        before: Its value in the config.
        foreground: Percentage of the pixels above it, mean over the images.
        images: Number of images that the choice is based on.
        method: The metric that chose it.
    """

    labels: tuple[str, ...]
    option: str
    value: float
    before: float
    foreground: float
    images: int
    method: str = _METRIC


def find_label(stages: list[Stage], name: str | None) -> tuple[Stage, str]:
    """Find a label whose background has a number to choose.

    Args:
        stages: The stages of a pipeline.
        name: ``'<stage>.<label>'``; None takes the first one.

    Raises:
        UserInputError: If there is none, or the named one is unknown or has no such background.
    """
    known = {
        f'{stage.name}.{label}': (stage, label)
        for stage in stages
        if stage.makes_labels
        for label in _labels(stage)
    }
    fitting = [key for key, (stage, label) in known.items() if _option(stage, label)]
    wanted = name or next(iter(fitting), None)
    if wanted in fitting:
        return known[str(wanted)]
    kinds = ' or '.join(_OPTIONS)
    if not fitting:
        raise UserInputError(
            f'no label of this pipeline starts from {kinds}, so it has no threshold to choose.'
        )
    if name in known:
        stage, label = known[str(name)]
        found = _labels(stage)[label].get('background')
        reason = f'starts from {found["type"] if found else "another label"}'
    else:
        reason = 'is not a label of this pipeline'
    raise UserInputError(
        f'--label {name}: it {reason}. Name a label that starts from {kinds}: {", ".join(fitting)}.'
    )


def choose_background(
    stage: Stage, label: str, work_dir: Path, *, num_images: int, launcher: str = 'none'
) -> BackgroundChoice:
    """Run the classifier of a label stage on some of its images and choose the background.

    Args:
        stage: The label stage. What it takes must exist.
        label: The label.
        work_dir: Work folder of the pipeline.
        num_images: Upper limit of images, spread evenly over the split.
        launcher: How this process was started.

    Raises:
        UserInputError: If an earlier stage is not finished, or the normalizer does not fit.
    """
    stage = with_taken_paths(stage, _finished(stage, work_dir))
    config = copy.deepcopy(stage.config)
    generator = config.test_cfg.generator
    dataset = config.test_dataloader.dataset
    dataset.indices = _spread(dataset, num_images)
    metric = dict(type=_METRIC, normalize=generator.get('normalize'))
    config.test_cfg = dict(type='TestLoop', fp16=config.test_cfg.get('fp16', False))
    config.test_evaluator = metric
    preflight(stage.name, config, task='test', tta=stage.tta)
    folder = work_dir / f'{stage.name}_background'
    with hold_folder(folder):
        found = run_stage(config, folder, task='test', tta=stage.tta, launcher=launcher).metrics
    threshold = found['seed/threshold']
    option = _option(stage, label)
    background = _labels(stage)[label]['background']
    return BackgroundChoice(
        labels=_sharing(stage, background),
        option=option,
        value=round(exponent_of(threshold) if option == 'alpha' else threshold, 3),
        before=background[option],
        foreground=round(found['seed/foreground'], 1),
        images=int(found['seed/images']),
    )


def write_choice(choice: BackgroundChoice, stage: str, pipeline: Path, out: Path) -> None:
    """Write a pipeline that inherits another one and has the chosen background.

    Its label stage records the choice in ``manifest.json``.

    Args:
        choice: The choice.
        stage: Name of the label stage.
        pipeline: Config of the pipeline.
        out: Config to write.
    """
    base = os.path.relpath(pipeline.resolve(), out.resolve().parent)
    labels = {name: dict(background={choice.option: choice.value}) for name in choice.labels}
    options = {
        'test_cfg.generator.labels': labels,
        'test_cfg.chosen': {'background': asdict(choice)},
    }
    text = (
        f'# This pipeline with a background of stage {stage!r} that was chosen without masks, by\n'
        '# tools/analysis_tools/choose_background.py.\n'
        f'_base_ = [{base!r}]\n'
        f'stages = {pformat({stage: dict(options=options)}, width=100, sort_dicts=False)}\n'
    )
    write_atomically(out, text.encode())


def _labels(stage: Stage) -> dict[str, dict]:
    return stage.config.test_cfg.generator.labels


def _option(stage: Stage, label: str) -> str:
    """Name the option to choose; empty if the label has none."""
    background = _labels(stage)[label].get('background') or {}
    return _OPTIONS.get(type_name(background) or '', '')


def _sharing(stage: Stage, background: dict) -> tuple[str, ...]:
    """Name the labels that start from the same background."""
    entries = _labels(stage).items()
    return tuple(name for name, entry in entries if entry.get('background') == background)


def _finished(stage: Stage, work_dir: Path) -> dict:
    """Return the results of the stages from which this one takes."""
    names = {source.partition('.')[0] for source in stage.takes.values()}
    results = {name: StageState(work_dir / name).result() for name in names}
    return {name: result for name, result in results.items() if result is not None}


def _spread(dataset: dict, num_images: int) -> list[int]:
    """Return indices of images, spread evenly over a data set."""
    with DefaultScope.overwrite_default_scope('mmwsss'):
        total = len(DATASETS.build(dataset))
    count = min(num_images, total)
    chosen = [i * total // count for i in range(count)]
    subset = dataset.get('indices')  # of a config that has fewer images itself
    return chosen if subset is None or isinstance(subset, int) else [subset[i] for i in chosen]
