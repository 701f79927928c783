"""The engine's runner, extended for the stages of a pipeline."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import master_only
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmwsss.engine.checks.resume_checks import check_resumable
from mmwsss.engine.child_processes import tie_workers
from mmwsss.engine.compilation import compile_backbone
from mmwsss.engine.console import calm
from mmwsss.engine.hooks.checkpoint_hook import CheckpointHook
from mmwsss.engine.hooks.invalid_loss_hook import InvalidLossHook
from mmwsss.engine.hooks.progress_hook import ProgressHook
from mmwsss.models.checkpoint_fit import base_model, load_fitting, read_checkpoint
from mmwsss.models.class_counts import check_num_classes
from mmwsss.structures import TRAINED_WITH, HasTrainingSettings
from mmwsss.structures.atomic_files import renamed_when_complete
from mmwsss.structures.notices import notice


class StageRunner(Runner):
    """The engine's runner, with complete checkpoints that say which stage wrote them.

    Model, data set and loaded weights must fit each other.

    Its data loaders' workers end with it. It also runs models without trainable weights on several
    ranks, which can share the work although PyTorch refuses to synchronise gradients of such a
    model.

    Attributes:
        stamp: Fingerprint of what determined the stage, written into its checkpoints.
        resumed_at: Iteration at which an earlier run of the stage was resumed, or None.
    """

    stamp: str | None = None
    resumed_at: int | None = None

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger, which prints little unless ``--verbose`` asks for all of it."""
        logger = super().build_logger(*args, **kwargs)
        calm(logger)
        return logger

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for several ranks if it has something to train."""
        if any(weight.requires_grad for weight in model.parameters()):
            return super().wrap_model(model_wrapper_cfg, model)
        return model.to(get_device())

    def _maybe_compile(self, target: str) -> None:
        """Compile the backbone if the config says so; mmengine would compile ``target``."""
        if compile_backbone(base_model(self.model), self.cfg):
            notice('The first iteration compiles the backbone, which takes a while.')

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Add hooks that show the progress and that stop a training whose loss is NaN.

        None in the config leaves one out. They and the checkpoint hook are ours, whatever the scope
        of the config.
        """
        own = dict(progress=dict(type=ProgressHook), invalid_loss=dict(type=InvalidLossHook))
        hooks = {**own, **(hooks or {})}
        hooks = {name: hook for name, hook in hooks.items() if name not in own or hook is not None}
        saving = hooks.setdefault('checkpoint', dict(type='CheckpointHook', interval=1))
        if saving is not None and saving.get('type') in (
            'CheckpointHook',
            'mmengine.CheckpointHook',
        ):
            hooks['checkpoint'] = {**saving, 'type': CheckpointHook}
        super().register_default_hooks(hooks)

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Continue from a checkpoint, and remember its iteration."""
        super().resume(filename, *args, **kwargs)
        self.resumed_at = self.iter
        notice(f'goes on from {filename}, iteration {self.iter}')

    @master_only
    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, meta: dict | None = None, **kwargs: Any
    ) -> None:
        """Save a checkpoint under its name once it is complete.

        Its meta has the stamp of the stage and the settings on which the weights depend.
        """
        meta = {**(meta or {}), 'stage': self.stamp}
        model = base_model(self.model)
        if isinstance(model, HasTrainingSettings):
            meta[TRAINED_WITH] = dict(model.trained_with)
        if '://' in str(out_dir):  # not a file system, so this is left to its backend
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
        """Load weights that fit the model, except those that training lists in ``load_new``.

        Args:
            filename: A file or an address.
            map_location: Device to which tensors are read.
            strict: Ignored: everything that the model needs must be in the file, and unused tensors
                are logged.
            revise_keys: Patterns in the names of tensors and their replacements.
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
        """Build a data loader whose workers end with this process.

        Unless its config says otherwise, the workers stay alive between passes. With a GPU, images
        come in pinned memory, from which they are copied while the GPU works.
        """
        if isinstance(dataloader, dict):
            dataloader = {
                'pin_memory': torch.cuda.is_available(),
                'persistent_workers': dataloader.get('num_workers', 0) > 0,
                **dataloader,
            }
        return tie_workers(Runner.build_dataloader(dataloader, seed, diff_rank_seed))
