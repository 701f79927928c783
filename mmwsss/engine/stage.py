"""Run one stage: a training, a test, or the making of pseudo labels."""

import copy
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import master_only
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmwsss.engine.child_processes import tie_workers
from mmwsss.engine.hooks.checkpoint_hook import CheckpointHook
from mmwsss.engine.hooks.invalid_loss_hook import InvalidLossHook
from mmwsss.engine.hooks.training_cams_hook import TrainingCAMsHook
from mmwsss.engine.loops.label_checks import check_checkpoint
from mmwsss.engine.loops.pseudo_label_loop import PseudoLabelLoop
from mmwsss.engine.ranks import connect_ranks, on_first_rank
from mmwsss.engine.resume_checks import check_resumable
from mmwsss.engine.stage_state import StageResult, StageState, checkpoint_meta
from mmwsss.models.checkpoint_fit import base_model, load_fitting, read_checkpoint
from mmwsss.models.class_counts import check_num_classes
from mmwsss.registry import type_name
from mmwsss.structures import UserInputError
from mmwsss.structures.atomic_files import renamed_when_complete


class StageRunner(Runner):
    """The engine's runner, with checkpoints that are complete and say which stage wrote them.

    Model, data set and what is loaded must fit each other.

    Its data loaders' workers end with it. It also runs models without a trainable weight on several
    ranks: PyTorch refuses to synchronise the gradients of such a model; ranks may share its work
    anyway.

    Attributes:
        stamp: Fingerprint of what decided the stage, written into its checkpoints.
        resumed_at: Iteration at which an earlier run of the stage was resumed, else None.
    """

    stamp: str | None = None
    resumed_at: int | None = None

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for several ranks if it has something to train."""
        if any(weight.requires_grad for weight in model.parameters()):
            return super().wrap_model(model_wrapper_cfg, model)
        return model.to(get_device())

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Add the hook that stops a training whose loss is NaN, unless the config has None.

        That hook and the one of the checkpoints are ours in configs of any scope.
        """
        hooks = {'invalid_loss': dict(type=InvalidLossHook), **(hooks or {})}
        if hooks['invalid_loss'] is None:
            del hooks['invalid_loss']
        saving = hooks.setdefault('checkpoint', dict(type='CheckpointHook', interval=1))
        if saving is not None and saving.get('type') in (
            'CheckpointHook',
            'mmengine.CheckpointHook',
        ):
            hooks['checkpoint'] = {**saving, 'type': CheckpointHook}
        super().register_default_hooks(hooks)

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Go on from a checkpoint, and remember where that was."""
        super().resume(filename, *args, **kwargs)
        self.resumed_at = self.iter

    @master_only
    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, meta: dict | None = None, **kwargs: Any
    ) -> None:
        """Save a checkpoint under its name when it is complete, with the stamp of the stage."""
        meta = {**(meta or {}), 'stage': self.stamp}
        if '://' in str(out_dir):  # not a file system: its backend is left to do its best
            super().save_checkpoint(out_dir, filename, *args, meta=meta, **kwargs)
            return
        with renamed_when_complete(Path(out_dir, filename)) as path:
            super().save_checkpoint(str(path.parent), path.name, *args, meta=meta, **kwargs)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, whose data set must have the classes of the model."""
        return self._with_same_classes(super().build_train_loop(loop))

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, whose data set must have the classes of the model."""
        return self._with_same_classes(super().build_val_loop(loop))

    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the loop, whose data set must have the classes of the model."""
        return self._with_same_classes(super().build_test_loop(loop))

    def _with_same_classes(self, loop: BaseLoop) -> BaseLoop:
        classes = getattr(loop.dataloader.dataset, 'metainfo', {}).get('classes')
        if classes is not None:
            check_num_classes(base_model(self.model), classes)
        return loop

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = True,
        revise_keys: Sequence = (),
    ) -> dict:
        """Load weights that fit the model, all but those that a training names as ``load_new``.

        Args:
            filename: A file or an address.
            map_location: Where tensors are read to.
            strict: Not looked at: what the model needs must be in the file, and what is left over
                there is logged.
            revise_keys: Patterns in the names of tensors, each with what replaces it.
        """
        checkpoint = read_checkpoint(filename, map_location=map_location)
        new = () if self._resume else self.cfg.get('load_new', ())
        if self._resume:
            check_resumable(checkpoint, filename, self)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_fitting(self.model, checkpoint, filename, new=new, revise_keys=revise_keys)
        self._has_loaded = True
        return checkpoint

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a data loader whose workers end with this process."""
        return tie_workers(Runner.build_dataloader(dataloader, seed, diff_rank_seed))


def output_names(config: Config, task: str) -> set[str]:
    """Name the outputs: a checkpoint, maps kept in training; or labels, scores and proportions."""
    if task == 'train':
        hooks = {type_name(hook) for hook in config.get('custom_hooks') or ()}
        maps = {'training_cams'} if 'TrainingCAMsHook' in hooks else set()
        return {'checkpoint', *maps}
    test_cfg = config.get('test_cfg', {})
    scores = {f'{name}_scores' for name in test_cfg.get('keep_scores', ())}
    proportions = {f'{name}_proportions' for name in test_cfg.get('proportions', ())}
    return {*test_cfg.get('generator', {}).get('labels', {}), *scores, *proportions}


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
        resume_from: Checkpoint of an earlier run of this training, with which it goes on.
        stamp: Fingerprint of what decides the stage, for its checkpoints.
        contents_file: Where a label stage keeps hashes of files.
        launcher: How this process was started.
    """
    config = copy.deepcopy(config)
    config.work_dir = str(work_dir)
    config.launcher = launcher
    connect_ranks(launcher, config)
    # Runners of one process share named singletons (log, message hub): every stage has its name.
    config.experiment_name = '_'.join(work_dir.absolute().parts[-3:])
    config.resume = resume_from is not None
    if resume_from is not None:
        # Otherwise mmengine resumes from what the stage takes, with the iterations of that.
        config.load_from = resume_from
    if contents_file is not None:
        config.contents_file = str(contents_file)
    if task == 'test':
        config.load_new = ()  # what is tested or labels must be complete
    if task == 'test' and 'env_cfg' in config:
        config.env_cfg.cudnn_benchmark = False  # a search for every image size would be slow
    if tta:
        use_test_time_augmentation(config)
    runner = StageRunner.from_cfg(config)
    runner.stamp = stamp
    return runner


def run_built(runner: StageRunner, task: str) -> StageResult:
    """Train or test with a runner that is built."""
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
    """Run one stage without keeping its state; arguments as of :func:`build_runner`."""
    options = dict(tta=tta, resume_from=resume_from, launcher=launcher)
    return run_built(build_runner(config, work_dir, task=task, **options), task)


def use_test_time_augmentation(config: Config) -> None:
    """Replace model and test pipeline by the config's ``tta_model`` and ``tta_pipeline``."""
    for key in ('tta_model', 'tta_pipeline'):
        if key not in config:
            raise UserInputError(f'{config.filename}: a test with tta needs `{key}`.')
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
    config.tta_model.module = config.model
    config.model = config.tta_model


def _train(runner: StageRunner) -> StageResult:
    runner.train()
    # A run that was killed in its last validation has nothing to train and no figures yet.
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
        if isinstance(hook, TrainingCAMsHook):
            outputs['training_cams'] = str(hook.folder(runner))
    return StageResult(outputs, metrics)


def _last_checkpoint(runner: StageRunner) -> str:
    """Find the checkpoint of the last iteration, without which a training is not finished."""
    state = StageState(Path(runner.work_dir))
    path, trouble = state.checkpoint(runner.stamp)
    found = checkpoint_meta(path)['iter'] if path else 0
    stopped_early = getattr(runner.train_loop, 'stop_training', False)
    last = runner.iter if stopped_early else runner.max_iters
    if found < last:
        raise UserInputError(
            f'{runner.work_dir}: the training is not finished: it has {last} iterations, but its '
            f'last checkpoint, {path}, is of iteration {found}{trouble and f" ({trouble})"}. Set '
            'default_hooks.checkpoint.save_last=True and run it again with --resume.'
        )
    state.name_last(path)
    return path


def _test(runner: StageRunner) -> StageResult:
    check_checkpoint(runner)
    metrics = {key: float(value) for key, value in runner.test().items()}
    loop = runner.test_loop
    outputs = loop.outputs if isinstance(loop, PseudoLabelLoop) else {}
    return StageResult(outputs, metrics)
