"""Runs one stage: training, testing or making pseudo labels."""

import copy
import os
import time
from pathlib import Path

from mmengine.config import Config

from mmwsss.engine.config.files import use_test_time_augmentation
from mmwsss.engine.labels.checks import check_checkpoint
from mmwsss.engine.pipeline.runner import StageRunner
from mmwsss.engine.ranks import connect_ranks, on_first_rank
from mmwsss.engine.state.stage_state import StageResult, StageState, checkpoint_meta
from mmwsss.structures import GivesOutputs, UserInputError


def build_runner(
    config: Config,
    work_dir: Path,
    *,
    task: str,
    tta: bool = False,
    resume_from: str | None = None,
    stamp: str | None = None,
    contents_file: Path | None = None,
    launcher: str = 'none',
) -> StageRunner:
    """Build the runner of a stage.

    Args:
        config: The stage's config.
        work_dir: Folder of its logs, checkpoints and labels.
        task: ``'train'`` or ``'test'`` (the latter also makes pseudo labels).
        tta: Test with the config's ``tta_model`` and ``tta_pipeline``.
        resume_from: Checkpoint of an earlier run of this training, from which it continues.
        stamp: Fingerprint of what determines the stage, for its checkpoints.
        contents_file: Where a label stage keeps hashes of files.
        launcher: How this process was started.
    """
    config = copy.deepcopy(config)
    config.work_dir = str(work_dir)
    config.launcher = launcher
    connect_ranks(launcher, config)
    # Runners of a process share named singletons (log, message hub), so every stage has its own
    # name.
    config.experiment_name = '_'.join(work_dir.absolute().parts[-3:])
    if config.get('visualizer'):
        config.visualizer.pop('name', None)  # use the experiment's, or all write to the first
    config.resume = resume_from is not None
    if resume_from is not None:
        # Otherwise mmengine resumes from what the stage takes, including its iterations.
        config.load_from = resume_from
    if contents_file is not None:
        config.contents_file = str(contents_file)
    if task == 'test':
        config.load_new = ()  # a tested or labelling model must be complete
    if task == 'test' and 'env_cfg' in config:
        config.env_cfg.cudnn_benchmark = False  # searching for every image size is slow
    if tta:
        use_test_time_augmentation(config)
    runner = StageRunner.from_cfg(config)
    runner.stamp = stamp
    return runner


def run_built(runner: StageRunner, task: str) -> StageResult:
    """Train or test with a built runner."""
    start = time.monotonic()
    result = _train(runner) if task == 'train' else _test(runner)
    result.seconds = round(time.monotonic() - start, 1)
    return result


def run_stage(
    config: Config,
    work_dir: Path,
    *,
    task: str,
    tta: bool = False,
    resume_from: str | None = None,
    launcher: str = 'none',
) -> StageResult:
    """Run one stage without keeping its state; arguments as in :func:`build_runner`."""
    runner = build_runner(
        config, work_dir, task=task, tta=tta, resume_from=resume_from, launcher=launcher
    )
    return run_built(runner, task)


def _train(runner: StageRunner) -> StageResult:
    runner.train()
    # A run killed in its last validation has nothing left to train, but no figures yet.
    trained_before = runner.resumed_at is not None and runner.resumed_at >= runner.max_iters
    if trained_before and runner.val_loop is not None:
        runner.val_loop.run()
    checkpoint = on_first_rank(lambda: _last_checkpoint(runner))
    scalars = runner.message_hub.log_scalars
    metrics = {
        key.removeprefix('val/'): float(buffer.current())
        for key, buffer in scalars.items()
        if key.startswith('val/') and 'time' not in key
    }
    outputs = {'checkpoint': os.path.abspath(checkpoint)}
    for hook in runner.hooks:
        if isinstance(hook, GivesOutputs):
            outputs.update(hook.outputs)
    return StageResult(outputs, metrics)


def _last_checkpoint(runner: StageRunner) -> str:
    """Find the checkpoint of the last iteration, without which a training is not finished."""
    state = StageState(Path(runner.work_dir))
    path, trouble = state.checkpoint(runner.stamp)
    found = checkpoint_meta(path)['iter'] if path else 0
    stopped_early = getattr(runner.train_loop, 'stop_training', False)
    last = runner.iter if stopped_early else runner.max_iters
    if path is None or found < last:
        raise UserInputError(
            f'{runner.work_dir}: the training is not finished. Its last iteration is {last}, but '
            f'its last checkpoint, {path}, has iteration {found}{trouble and f" ({trouble})"}. Set '
            'default_hooks.checkpoint.save_last=True and run it again with --resume.'
        )
    state.name_last(path)
    return path


def _test(runner: StageRunner) -> StageResult:
    check_checkpoint(runner)
    metrics = {key: float(value) for key, value in runner.test().items()}
    loop = runner.test_loop
    outputs = loop.outputs if isinstance(loop, GivesOutputs) else {}
    return StageResult(outputs, metrics)
