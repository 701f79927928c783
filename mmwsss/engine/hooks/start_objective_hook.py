"""Starts an objective of a classifier later than the training."""

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmwsss.engine.hooks.training_parts import objectives_of
from mmwsss.models.objectives.names import objective_name
from mmwsss.registry import HOOKS
from mmwsss.structures import Objective, UserInputError


@HOOKS.register_module()
class StartObjectiveHook(Hook):
    """Leave an objective out of the loss before an iteration, the warm-up.

    Whether it is enabled follows from ``runner.iter`` alone, so a resumed run goes on exactly. An
    objective that is not enabled is not called: it runs no second forward pass. A ``stateful`` one
    is called all the same, to fill its memory, and gives no loss.

    Args:
        objective: The objective: its ``name`` in the config of the model, or else its type.
        begin: First iteration, counted from 0, in which it takes part.

    Raises:
        UserInputError: The model has no such objective, or several, or no other one to learn from
            before, or the training ends before ``begin``.
    """

    def __init__(self, objective: str, begin: int) -> None:
        self.objective = objective
        self.begin = begin

    def before_train(self, runner: Runner) -> None:
        """Check that the model has the objective, and that the training gets to it."""
        objectives = objectives_of(runner)
        meant = self._meant(runner)
        if not meant:
            names = sorted({objective_name(objective) for objective in objectives})
            raise UserInputError(
                f'StartObjectiveHook: the model has no objective {self.objective!r}, only '
                f'{names}. Correct `objective` in `custom_hooks`, or add it to '
                '`model.objectives`.'
            )
        if len(meant) > 1:
            raise UserInputError(
                f'StartObjectiveHook: the model has {len(meant)} objectives {self.objective!r}. '
                "Give the one that starts later a name in `model.objectives`, like name='late', "
                'and set `objective` in `custom_hooks` to it.'
            )
        if self.begin >= runner.max_iters:
            raise UserInputError(
                f'StartObjectiveHook: {self.objective!r} would never take part, because begin='
                f'{self.begin} is not below the {runner.max_iters} iterations of the training. Set '
                'a smaller `begin` in `custom_hooks`, or train longer.'
            )
        if self.begin > 0 and len(objectives) == 1:
            raise UserInputError(
                f'StartObjectiveHook: nothing is learnt before iteration {self.begin}, because '
                f'{self.objective!r} is the only objective. Set `begin` to 0 or add another.'
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Enable the objective from ``begin`` on."""
        for objective in self._meant(runner):
            objective.enabled = runner.iter >= self.begin

    def _meant(self, runner: Runner) -> list[Objective]:
        return [one for one in objectives_of(runner) if objective_name(one) == self.objective]
