"""Alternates what the objectives of a classifier train."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmwsss.engine.hooks.training_parts import objectives_of
from mmwsss.registry import HOOKS
from mmwsss.structures import Checked, PhasedObjective, StagePlan, UserInputError


@HOOKS.register_module()
class AlternatingPhaseHook(Hook, Checked):
    """Train probabilities and thresholds in turn.

    Of every ``period`` iterations, the first ``first`` have the phase ``'probability'``, the others
    ``'threshold'``. Every :class:`PhasedObjective` is told. The phase depends only on
    ``runner.iter``, so a resumed run continues exactly.

    Args:
        period: Iterations after which the phases repeat.
        first: Iterations of the first phase, between 0 and ``period``.

    Raises:
        ValueError: If ``first`` is not within the period.
        UserInputError: If no objective has phases, or a distributed run does not allow parameters
            without a gradient, which differ between the phases.

    Source: Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised Semantic Segmentation",
        ECCV 2022, section 3.4; 80 of 100 iterations are from the published code.
    """

    def __init__(self, *, period: int = 100, first: int = 80) -> None:
        if period < 1 or not 0 <= first <= period:
            raise ValueError(
                f'period must be >= 1 and first in 0..period, got period={period}, first={first}.'
            )
        self.period = period
        self.first = first

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse a training stage without phases."""
        if stage.task == 'train':
            _refuse(has_phases=bool(stage.parts(PhasedObjective)))

    def before_train(self, runner: Runner) -> None:
        """Check that there are phases and that this run can train them."""
        _refuse(has_phases=bool(_objectives_with_phases(runner)))
        # Only a distributed wrapper has this attribute.
        if not getattr(runner.model, 'find_unused_parameters', True):
            raise UserInputError(
                'AlternatingPhaseHook: in each phase, different parameters have no gradient. Set '
                '`find_unused_parameters=True` at the top level of the config (not in the model).'
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Set the phase of the iteration."""
        phase = 'probability' if runner.iter % self.period < self.first else 'threshold'
        for objective in _objectives_with_phases(runner):
            objective.set_phase(phase)


def _objectives_with_phases(runner: Runner) -> list[PhasedObjective]:
    return [one for one in objectives_of(runner) if isinstance(one, PhasedObjective)]


def _refuse(*, has_phases: bool) -> None:
    if not has_phases:
        raise UserInputError(
            'AlternatingPhaseHook: no objective of the model has phases. Remove the hook from '
            '`custom_hooks`, or add an objective such as SpatialBCE to `model.objectives`.'
        )
