"""Stops a training that has diverged before it writes a checkpoint."""

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

from mmwsss.registry import HOOKS
from mmwsss.structures import UserInputError


@HOOKS.register_module()
class InvalidLossHook(Hook):
    """Stop a training whose loss is NaN or infinite.

    Every iteration is checked without waiting for the device. Every ``interval`` iterations, and at
    the end, the processes agree on whether one of them had such a loss. Weights are checked before
    a checkpoint is written, so no checkpoint ever has a NaN. This is a default hook of every stage;
    ``default_hooks = dict(invalid_loss=None)`` disables it.

    Args:
        interval: Iterations after which the processes wait for the device and compare their
            results.

    Raises:
        UserInputError: At the first comparison after a loss that is NaN or infinite.
    """

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise ValueError(f'interval must be >= 1, got {interval}.')
        self.interval = interval
        self._first: Tensor | None = None  # iteration of the first invalid loss, 0 if there is none

    def before_train(self, runner: Runner) -> None:
        """Forget an earlier run."""
        self._first = None

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict | None = None,
    ) -> None:
        """Check the losses, and from time to time what was found."""
        loss = torch.as_tensor((outputs or {}).get('loss', 0.0)).detach()
        iteration = runner.iter + 1
        if self._first is None:
            self._first = torch.zeros((), device=loss.device)
        invalid = ~loss.isfinite().all() & (self._first == 0)
        self._first = torch.where(invalid, float(iteration), self._first)
        if iteration % self.interval == 0 or iteration >= runner.max_iters:
            first = self._first.clone()
            all_reduce(first, 'max')
            if first > 0:
                raise _diverged(f'the loss of iteration {int(first)} is NaN or infinite', runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to write weights that are NaN or infinite."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        weights = checkpoint['state_dict']
        for name, _ in model.named_parameters():
            if name in weights and not weights[name].isfinite().all():
                raise _diverged(f'the weights {name} are NaN or infinite', runner)


def _diverged(what: str, runner: Runner) -> UserInputError:
    return UserInputError(
        f'{runner.work_dir}: {what} (found at iteration {runner.iter + 1}). Lower '
        'optim_wrapper.optimizer.lr, set optim_wrapper.clip_grad, or check the data. Earlier '
        'checkpoints are sound: --resume continues from the last one.'
    )
