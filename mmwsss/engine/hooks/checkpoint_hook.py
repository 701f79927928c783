"""Saves checkpoints so that a kill at any moment leaves a complete one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import Runner

from mmwsss.registry import HOOKS


@HOOKS.register_module(name='CheckpointHook')
class CheckpointHook(MMEngineCheckpointHook):
    """mmengine's hook, except that it removes an old checkpoint once the new one is complete.

    mmengine removes the old one first, so a kill while it saves leaves nothing. The runner of the
    stages writes a checkpoint under a temporary name and renames it. The last iteration always gets
    a checkpoint, even if training stops early.
    """

    _saved: int  # iteration of the last checkpoint
    file_backend: Any  # the parent's

    def before_train(self, runner: Runner) -> None:
        """Note the iteration of the checkpoint from which training resumes."""
        super().before_train(runner)
        self._saved = runner.iter

    def after_train(self, runner: Runner) -> None:
        """Save the last iteration if it has no checkpoint yet."""
        if self._saved != runner.iter:
            step = runner.epoch if self.by_epoch else runner.iter
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(runner, step, meta)
        super().after_train(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated: list[int] = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            there = [*self.keep_ckpt_ids, step]
            outdated = there[: -self.max_keep_ckpts]
            # Includes the outdated one, so that a run resumed from here removes it if this run does
            # not get to it.
            runner.message_hub.update_info('keep_ckpt_ids', there)
            self.keep_ckpt_ids.append(step)  # drops the first one if it is full
        super()._save_checkpoint_with_step(runner, step, meta)
        self._saved = meta['iter']
        for old in outdated if is_main_process() else ():
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        with self._removing_last():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _removing_last(self) -> Iterator[None]:
        backend = self.file_backend
        self.file_backend = late = _LateRemoval(backend)
        try:
            yield
        finally:
            self.file_backend = backend
        for path in late.outdated:
            backend.remove(path)


class _LateRemoval:
    """A file backend that notes what to remove later."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.outdated: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.outdated.append(path)
