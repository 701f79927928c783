"""Shows how far a training, its validation or a test is."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmwsss.engine.progress import Progress
from mmwsss.registry import HOOKS


@HOOKS.register_module()
class ProgressHook(Hook):
    """Show the progress of loops that call hooks for every iteration, with the time left.

    It is one of the default hooks of a stage: ``default_hooks = dict(progress=None)`` leaves it
    out.
    """

    def before_train(self, runner: Runner) -> None:
        """Start the clock; what an earlier run has trained does not count."""
        self._training = Progress('training', runner.max_iters, runner.logger, done=runner.iter)
        self._training.start()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict | None = None,
    ) -> None:
        """Show one more iteration."""
        self._training.update(runner.iter + 1)

    def after_train(self, runner: Runner) -> None:
        """End the progress."""
        self._training.stop()

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Show one more batch."""
        self._show('validation', batch_idx, len(runner.val_dataloader), runner)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Show one more batch."""
        self._show('test', batch_idx, len(runner.test_dataloader), runner)

    def _show(self, title: str, batch_idx: int, total: int, runner: Runner) -> None:
        # Not before the loop: that of pseudo labels calls the same hooks then, but shows its own.
        if batch_idx == 0:
            self._batches = Progress(title, total, runner.logger)
            self._batches.start()
        self._batches.update(batch_idx + 1)
        if batch_idx + 1 == total:
            self._batches.stop()
