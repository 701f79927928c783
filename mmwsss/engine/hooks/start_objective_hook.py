"""Starts an objective of a classifier some iterations after the training."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmwsss.engine.hooks.training_parts import objectives_of
from mmwsss.models.objectives.names import objective_name
from mmwsss.registry import HOOKS
from mmwsss.structures import Checked, Objective, StagePlan, UserInputError


@HOOKS.register_module()
class StartObjectiveHook(Hook, Checked):
    """Start an objective at a given iteration, after a warm-up without it.

    Whether it is enabled depends only on ``runner.iter``, so a resumed run continues exactly. A
    disabled objective is not called, so it runs no second forward pass. A ``stateful`` one is still
    called, to fill its memory, but gives no loss.

    Args:
        objective: The ``name`` of the objective in the config of the model, or else its type.
        begin: First iteration, counted from 0, in which the objective takes part.

    Raises:
        UserInputError: The model has no such objective or several, there is no other one to learn
            from before ``begin``, or training ends before it.
    """

    def __init__(self, objective: str, begin: int) -> None:
        self.objective = objective
        self.begin = begin

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse a training stage in which the objective would not start."""
        if stage.task == 'train' and {'objective', 'begin'} <= options.keys():
            names = [
                part.options.get('name', part.kind.__name__) for part in stage.parts(Objective)
            ]
            _refuse(options['objective'], options['begin'], names, stage.max_iters)

    def before_train(self, runner: Runner) -> None:
        """Check that the model has the objective and that training reaches it."""
        names = [objective_name(objective) for objective in objectives_of(runner)]
        _refuse(self.objective, self.begin, names, runner.max_iters)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Enable the objective once ``begin`` is reached."""
        for objective in self._meant(runner):
            objective.enabled = runner.iter >= self.begin

    def _meant(self, runner: Runner) -> list[Objective]:
        return [one for one in objectives_of(runner) if objective_name(one) == self.objective]


def _refuse(objective: str, begin: int, names: list[str], max_iters: int | None) -> None:
    """Refuse an objective that matches none or several of the names, or that never starts."""
    count = names.count(objective)
    if count == 0:
        raise UserInputError(
            f'StartObjectiveHook: the model has no objective {objective!r}, only '
            f'{sorted(set(names))}. Correct `objective` in `custom_hooks`, or add it to '
            '`model.objectives`.'
        )
    if count > 1:
        raise UserInputError(
            f'StartObjectiveHook: the model has {count} objectives {objective!r}. Give the one '
            "that starts later a name in `model.objectives`, such as name='late', and set "
            '`objective` in `custom_hooks` to that name.'
        )
    if max_iters is not None and begin >= max_iters:
        raise UserInputError(
            f'StartObjectiveHook: {objective!r} would never take part, because begin={begin} is '
            f'not below the number of training iterations, {max_iters}. Set a smaller `begin` in '
            '`custom_hooks`, or train longer.'
        )
    if begin > 0 and len(names) == 1:
        raise UserInputError(
            f'StartObjectiveHook: nothing is learnt before iteration {begin}, because '
            f'{objective!r} is the only objective. Set `begin` to 0 or add another objective.'
        )
