"""Loads the network of a refiner, and compares it with the one that was trained."""

import logging
from collections.abc import Mapping
from pathlib import Path

from mmengine.logging import print_log

from mmwsss.models.affinity_network import AffinityNetwork
from mmwsss.models.checkpoint_fit import load_fitting, read_checkpoint
from mmwsss.registry import MODELS
from mmwsss.structures import TRAINED_WITH, HasTrainingSettings, UserInputError


def load_network(config: dict, checkpoint: str | None) -> AffinityNetwork:
    """Build an affinity network with the weights of a checkpoint, for evaluation.

    Settings that the checkpoint does not tell are named in the log; they are not compared.

    Raises:
        UserInputError: If there is no checkpoint, or it is one of another network: its weights do
            not fit, or were trained with other settings, such as another radius.
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
    trained = meta.get(TRAINED_WITH) if isinstance(meta, dict) else None
    if isinstance(network, HasTrainingSettings):
        known = trained if isinstance(trained, dict) else {}
        _check_settings(network.trained_with, known, checkpoint)
    return network.eval()


def _check_settings(
    given: Mapping[str, object], trained: Mapping[str, object], checkpoint: str
) -> None:
    for key, value in trained.items():
        if given.get(key, value) != value:
            raise UserInputError(
                f'RandomWalk: checkpoint={checkpoint} was trained with {key}={value}, but the '
                f'`network` of the walk has {key}={given[key]}. Set network.{key} of the refiner '
                'to the value of the training, or train with that of the walk.'
            )
    missing = [key for key in given if key not in trained]
    if missing:
        print_log(
            f'RandomWalk: checkpoint={checkpoint} does not say with which {", ".join(missing)} it '
            'was trained: not compared with the `network` of the walk.',
            logger='current',
            level=logging.WARNING,
        )
