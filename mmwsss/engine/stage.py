"""Run one stage: a training, a test, or the making of pseudo labels."""

import copy
import gc
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn

from mmwsss.engine.hooks.training_cams_hook import TrainingCAMsHook
from mmwsss.engine.loops.label_checks import check_checkpoint
from mmwsss.engine.loops.pseudo_label_loop import PseudoLabelLoop
from mmwsss.engine.ranks import connect_ranks
from mmwsss.structures import UserInputError


@dataclass
class StageResult:
    """What a stage leaves behind.

    Attributes:
        outputs: Output name -> path: ``checkpoint`` of a training (and the folder
            ``training_cams``, with a :class:`TrainingCAMsHook`), one folder a label name (and
            ``<label name>_scores``) and files ``<label name>_proportions`` of a label stage.
        metrics: Metric name -> value in the metric's own unit (mIoU in percent).
        seconds: Wall time.
        fingerprint: Hash of all that decided the result, see the pipeline.
    """

    outputs: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    fingerprint: str = ''

    def to_dict(self) -> dict:
        """Give the fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict) -> 'StageResult':
        """Read what :meth:`to_dict` gave."""
        return cls(**content)


class StageRunner(Runner):
    """The engine's runner, also for models without a trainable weight on several ranks.

    PyTorch refuses to synchronise the gradients of such a model; ranks may share its work anyway.
    """

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for several ranks if it has something to train."""
        if any(weight.requires_grad for weight in model.parameters()):
            return super().wrap_model(model_wrapper_cfg, model)
        return model.to(get_device())


def output_names(config: Config, task: str) -> set[str]:
    """Name the outputs: a checkpoint, maps kept in training; or labels, scores and proportions."""
    if task == 'train':
        hooks = {hook.get('type') for hook in config.get('custom_hooks') or ()}
        maps = {'training_cams'} if 'TrainingCAMsHook' in hooks else set()
        return {'checkpoint', *maps}
    test_cfg = config.get('test_cfg', {})
    scores = {f'{name}_scores' for name in test_cfg.get('keep_scores', ())}
    proportions = {f'{name}_proportions' for name in test_cfg.get('proportions', ())}
    return {*test_cfg.get('generator', {}).get('labels', {}), *scores, *proportions}


def run_stage(
    config: Config,
    work_dir: Path,
    *,
    task: str,
    tta: bool = False,
    resume: bool = False,
    launcher: str = 'none',
) -> StageResult:
    """Run one stage through mmengine's runner.

    Args:
        config: The stage's config.
        work_dir: Folder of its logs, checkpoints and labels.
        task: ``'train'`` or ``'test'`` (the latter also makes pseudo labels).
        tta: Test with the config's ``tta_model`` and ``tta_pipeline``.
        resume: Go on from the last checkpoint in `work_dir`, if there is one.
        launcher: How this process was started.
    """
    config = copy.deepcopy(config)
    config.work_dir = str(work_dir)
    config.launcher = launcher
    connect_ranks(launcher, config)
    # Runners of one process share named singletons (log, message hub): every stage has its name.
    config.experiment_name = '_'.join(work_dir.absolute().parts[-3:])
    config.resume = bool(resume and task == 'train' and find_latest_checkpoint(str(work_dir)))
    if task == 'test' and 'env_cfg' in config:
        config.env_cfg.cudnn_benchmark = False  # a search for every image size would be slow
    if tta:
        use_test_time_augmentation(config)
    start = time.monotonic()
    runner = StageRunner.from_cfg(config)
    result = _train(runner) if task == 'train' else _test(runner)
    result.seconds = round(time.monotonic() - start, 1)
    del runner
    gc.collect()  # ends the data loaders' workers before the next stage starts its own
    return result


def use_test_time_augmentation(config: Config) -> None:
    """Replace model and test pipeline by the config's ``tta_model`` and ``tta_pipeline``."""
    for key in ('tta_model', 'tta_pipeline'):
        if key not in config:
            raise UserInputError(f'{config.filename}: a test with tta needs `{key}`.')
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
    config.tta_model.module = config.model
    config.model = config.tta_model


def _train(runner: Runner) -> StageResult:
    runner.train()
    checkpoint = [find_latest_checkpoint(runner.work_dir) if is_main_process() else None]
    broadcast_object_list(checkpoint)
    scalars = runner.message_hub.log_scalars
    metrics = {
        key.removeprefix('val/'): float(buffer.current())
        for key, buffer in scalars.items()
        if key.startswith('val/') and 'time' not in key
    }
    outputs = {'checkpoint': os.path.abspath(checkpoint[0])}
    for hook in runner.hooks:
        if isinstance(hook, TrainingCAMsHook):
            outputs['training_cams'] = str(hook.folder(runner))
    return StageResult(outputs, metrics)


def _test(runner: Runner) -> StageResult:
    check_checkpoint(runner)
    metrics = {key: float(value) for key, value in runner.test().items()}
    loop = runner.test_loop
    outputs = loop.outputs if isinstance(loop, PseudoLabelLoop) else {}
    return StageResult(outputs, metrics)
