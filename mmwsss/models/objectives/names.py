"""Names that tell the objectives of a classifier apart, in hooks and in the log."""

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from mmwsss.registry import MODELS
from mmwsss.structures import Objective, UserInputError, check_contract


def build_objectives(configs: Sequence[dict]) -> nn.ModuleList:
    """Build objectives whose configs may have a ``name`` in addition to their own arguments.

    Args:
        configs: Configs of the objectives.

    Returns:
        The objectives in order.

    Raises:
        UserInputError: If one is not an objective, two have the same name, or a name is not a word.
    """
    objectives = nn.ModuleList()
    for config in configs:
        name = config.get('name')
        built = MODELS.build({key: v for key, v in config.items() if key != 'name'})
        objective = check_contract(built, Objective, f'objectives.{len(objectives)}')
        if name is not None:
            _check_name(name, objectives)  # type: ignore[arg-type]  # all are objectives
            objective.name = name
        objectives.append(objective)
    return objectives


def _check_name(name: str, others: Iterable[Objective]) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise UserInputError(
            f'objectives: name={name!r} is not a word of letters, digits and underscores. Choose '
            "one like 'boxes'; it becomes part of the names of the losses."
        )
    if any(name == objective_name(other) for other in others):
        raise UserInputError(
            f'objectives: two are called {name!r}. Give each its own `name`; the default is its '
            'type.'
        )


def objective_name(objective: Objective) -> str:
    """Give the ``name`` in the config of an objective, or else its type."""
    return objective.name or type(objective).__name__


def add_losses(losses: dict[str, Tensor], own: dict[str, Tensor], name: str | None) -> None:
    """Add the losses of one objective to those of the objectives before it, in place.

    The keys of a named objective end in its name, as in ``loss_multi_label_boxes``. A key that is
    already taken gets a number: ``loss_multi_label_1`` is the second loss with that key.

    Args:
        losses: Losses collected so far.
        own: Losses of the objective by key.
        name: Name of the objective in the config, if it has one.
    """
    for key, loss in own.items():
        whole = key if name is None else f'{key}_{name}'
        number, unique = 0, whole
        while unique in losses:
            number += 1
            unique = f'{whole}_{number}'
        losses[unique] = loss
