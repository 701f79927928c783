"""Stops a training whose probabilities fell to 0, which its loss no longer shows."""

import logging

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor

from mmwsss.engine.hooks.training_parts import objectives_of
from mmwsss.registry import HOOKS
from mmwsss.structures import UserInputError

_VALUE = 'probability_over_proportion'


@HOOKS.register_module()
class CollapseHook(Hook):
    """Stop a training in which the probabilities of present classes fall to 0 everywhere.

    An objective that ``reports`` ``probability_over_proportion``, such as ``SpatialBCE``, gives the
    ratio of the present classes' mean probability to their expected proportion. Every ``interval``
    iterations, and at the end, its mean since the last check is compared with ``minimum``. Other
    iterations do not wait for the device.

    Args:
        interval: Iterations between two checks.
        minimum: Mean below which the probabilities have collapsed.
        stop: Whether to end the training; otherwise only warn.

    Raises:
        ValueError: If ``interval`` is below 1.
        UserInputError: If no objective reports the value, or the probabilities have collapsed.
    """

    def __init__(self, *, interval: int = 100, minimum: float = 0.05, stop: bool = True) -> None:
        if interval < 1:
            raise ValueError(f'interval must be >= 1, got {interval}.')
        self.interval = interval
        self.minimum = minimum
        self.stop = stop
        self._values: list[Tensor] = []

    def before_train(self, runner: Runner) -> None:
        """Check that an objective reports the value; forget any earlier run."""
        if not any(_VALUE in getattr(one, 'reports', ()) for one in objectives_of(runner)):
            raise UserInputError(
                f'CollapseHook: no objective of the model reports {_VALUE!r}. Remove the hook from '
                '`custom_hooks`, or add an objective such as SpatialBCE to `model.objectives`.'
            )
        self._values = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict | None = None,
    ) -> None:
        """Keep the value, and compare the mean from time to time."""
        # With several objectives, the key ends in a name or number.
        self._values += [v for key, v in (outputs or {}).items() if key.startswith(_VALUE)]
        iteration = runner.iter + 1
        if iteration % self.interval == 0 or iteration >= runner.max_iters:
            self._compare(runner)

    def _compare(self, runner: Runner) -> None:
        if not self._values:  # the objective is not enabled yet
            return
        mean = torch.stack(self._values).mean()
        self._values = []
        all_reduce(mean, 'mean')
        if mean >= self.minimum:
            return
        text = (
            f'{runner.work_dir}: the probabilities collapsed. By iteration {runner.iter + 1}, '
            f'those of the present classes are {mean:.2g} of their proportions on average, so '
            'nothing would be labelled. Start from a trained classifier including its head, lower '
            'optim_wrapper.optimizer.lr, or raise kl_weight of SpatialBCE.'
        )
        if self.stop:
            raise UserInputError(f'{text} CollapseHook(stop=False) only warns.')
        print_log(text, 'current', logging.WARNING)
