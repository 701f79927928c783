"""Stops a training whose probabilities fell to 0, where its loss no longer tells."""

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
    """Stop a training in which the classes of the images end at probability 0 everywhere.

    An objective that ``reports`` ``probability_over_proportion``, such as ``SpatialBCE``, says by
    how much the mean probability of the present classes reaches their expected proportion. Every
    ``interval`` iterations, and at the end, the mean of the iterations since is compared; the
    others do not wait for the device.

    Args:
        interval: Iterations between two comparisons.
        minimum: Mean below which the probabilities have collapsed.
        stop: End the training; otherwise warn.

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
        """Check that an objective reports the value; forget an earlier run."""
        if not any(_VALUE in getattr(one, 'reports', ()) for one in objectives_of(runner)):
            raise UserInputError(
                f'CollapseHook: no objective of the model reports {_VALUE!r}. Remove the hook '
                'from `custom_hooks`, or add an objective like SpatialBCE to `model.objectives`.'
            )
        self._values = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict | None = None,
    ) -> None:
        """Keep the value, and from time to time compare the mean."""
        # With several objectives a name or a number follows.
        self._values += [v for key, v in (outputs or {}).items() if key.startswith(_VALUE)]
        iteration = runner.iter + 1
        if iteration % self.interval == 0 or iteration >= runner.max_iters:
            self._compare(runner)

    def _compare(self, runner: Runner) -> None:
        if not self._values:  # of an objective that is not enabled yet
            return
        mean = torch.stack(self._values).mean()
        self._values = []
        all_reduce(mean, 'mean')
        if mean >= self.minimum:
            return
        text = (
            f'{runner.work_dir}: the probabilities collapsed: by iteration {runner.iter + 1} those '
            f'of the present classes are {mean:.2g} of their proportions on average, so that '
            'nothing would be labelled. Start from a classifier whose head is taken over, lower '
            'optim_wrapper.optimizer.lr, or raise kl_weight of SpatialBCE.'
        )
        if self.stop:
            raise UserInputError(f'{text} CollapseHook(stop=False) only warns.')
        print_log(text, 'current', logging.WARNING)
