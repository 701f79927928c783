"""Loads the network of a refiner, and compares it with the one that was trained."""

import ast
from pathlib import Path

from mmwsss.models.affinity_network import AffinityNetwork
from mmwsss.models.checkpoint_fit import load_fitting, read_checkpoint
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

# What a network's weights do not tell: another radius or input loads as well.
_INPUT = ('mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr')
_NONE = ast.Constant(None)


def load_network(config: dict, checkpoint: str | None) -> AffinityNetwork:
    """Build an affinity network with the weights of a checkpoint, for evaluation.

    Raises:
        UserInputError: If there is no checkpoint, or it is one of another network: its weights do
            not fit, or its own config has another radius or another normalisation of the input.
    """
    if not checkpoint:
        raise UserInputError(
            'RandomWalk: checkpoint is not set. Name the checkpoint of the affinity network, or '
            'let the stage take it from the stage that trains it.'
        )
    if not Path(checkpoint).is_file():
        raise UserInputError(
            f'RandomWalk: checkpoint={checkpoint} does not exist. Name the checkpoint of the '
            'affinity network, a local file.'
        )
    network = MODELS.build(config)
    content = read_checkpoint(str(checkpoint))
    load_fitting(network, content, str(checkpoint))
    meta = content.get('meta')
    text = meta.get('cfg') if isinstance(meta, dict) else None
    if isinstance(text, str):  # files of other programs have none
        _check_settings(config, trained_settings(text), checkpoint)
    return network.eval()


def _check_settings(config: dict, trained: dict[str, object], checkpoint: str) -> None:
    preprocessor = config.get('data_preprocessor') or {}
    given = {f'data_preprocessor.{key}': preprocessor.get(key) for key in _INPUT}
    if 'radius' in config:  # else that of the class, as in the training
        given['radius'] = config['radius']
    for key, value in trained.items():
        if key in given and _plain(given[key]) != _plain(value):
            raise UserInputError(
                f'RandomWalk: checkpoint={checkpoint} was trained with {key}={value}, but '
                f'the `network` of the walk has {key}={given[key]}. Set network.{key} of the '
                'refiner to the value of the training, or train with that of the walk.'
            )


def _plain(value: object) -> object:
    """Make lists of tuples; a switch that is off equals one that is not named."""
    return list(value) if isinstance(value, list | tuple) else value or None


def trained_settings(text: str) -> dict[str, object]:
    """Read what a config says about the network's radius and input, without running it.

    Args:
        text: The config as mmengine writes it into a checkpoint: ``model = dict(...)`` and so on.

    Returns:
        ``radius``, if it is named, and ``data_preprocessor.<option>`` of the options that normalise
        the input, None where they are not named. Nothing of another text.
    """
    try:
        statements = ast.parse(text).body
        model = next((_arguments(s.value) for s in statements if _assigns(s, 'model')), {})
        if not model:
            return {}
        options = _arguments(model.get('data_preprocessor'))
        nodes = {f'data_preprocessor.{key}': options.get(key, _NONE) for key in _INPUT}
        if 'radius' in model:
            nodes['radius'] = model['radius']
        return {key: ast.literal_eval(node) for key, node in nodes.items()}
    except (SyntaxError, ValueError):
        return {}


def _assigns(statement: ast.stmt, name: str) -> bool:
    return isinstance(statement, ast.Assign) and [name] == [
        target.id for target in statement.targets if isinstance(target, ast.Name)
    ]


def _arguments(node: ast.expr | None) -> dict[str | None, ast.expr]:
    """Arguments of a call ``dict(name=value, ...)``; none of anything else."""
    return {k.arg: k.value for k in node.keywords} if isinstance(node, ast.Call) else {}
