"""Refiners with a trained network: it is loaded, and compared with the one that was trained."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmwsss.models.checkpoint_fit import load_fitting, read_checkpoint
from mmwsss.registry import MODELS
from mmwsss.structures import TRAINED_WITH, HasTrainingSettings, Refiner, UserInputError


class TrainedNetworkRefiner(Refiner):
    """Refiner that asks a trained network, which it builds and loads at the first image.

    Args:
        network: Config of the network.
        checkpoint: Its checkpoint, a local file. None where a pipeline sets it later.

    Attributes:
        network_type: A config of such a network, for messages.
        network_method: What its class must have.

    Raises:
        UserInputError: If no model of the type of ``network`` is registered, or it is one of
            another kind.
    """

    network_type: str = 'AffinityNetwork'
    network_method: str = 'affinities'

    def __init__(self, network: dict, checkpoint: str | None) -> None:
        self._check_type(network)
        self.network = network
        self.checkpoint = checkpoint
        self._loaded: Any = None

    @property
    def files(self) -> tuple[str, ...]:
        """Files whose content decides the result."""
        return (str(self.checkpoint),) if self.checkpoint else ()

    def loaded_network(self, device: torch.device) -> Any:
        """Give the network in evaluation mode, on a device.

        Raises:
            UserInputError: If there is no checkpoint, it does not fit the network, or was trained
                with other settings.
        """
        if self._loaded is None:
            self._loaded = load_network(self.network, self.checkpoint, user=type(self).__name__)
        return self._loaded.to(device)

    def normalized(self, network: Any, image: np.ndarray) -> Tensor:
        """Preprocess an RGB image (H, W, 3) as in training, (1, 3, H, W)."""
        bgr = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)  # as LoadImage gives it
        return network.data_preprocessor(dict(inputs=[bgr]))['inputs']

    def _check_type(self, network: dict) -> None:
        """Find a typo now: the network is built at the first image, hours after the start."""
        kind = network.get('type')
        found = MODELS.get(kind) if kind and isinstance(kind, str) else kind
        if not found or not hasattr(found, self.network_method):
            problem = 'is another kind of network' if found else 'is no registered model'
            raise UserInputError(
                f'{type(self).__name__}: network.type = {kind!r} {problem}. Give the config of the '
                f"trained network, usually type='{self.network_type}'; name modules of your own in "
                '`custom_imports`.'
            )


def load_network(config: dict, checkpoint: str | None, *, user: str) -> Any:
    """Build a network with the weights of a checkpoint, for evaluation.

    Settings that the checkpoint does not tell are named in the log; they are not compared.

    Args:
        config: Config of the network.
        checkpoint: Its checkpoint, a local file.
        user: Name of the refiner, for messages.

    Raises:
        UserInputError: If there is no checkpoint, or it is one of another network: its weights do
            not fit, or were trained with other settings, such as another radius.
    """
    if not checkpoint:
        raise UserInputError(
            f'{user}: checkpoint is not set. Name the checkpoint of the network, or let the stage '
            'take it from the stage that trains it.'
        )
    if not Path(checkpoint).is_file():
        raise UserInputError(
            f'{user}: checkpoint={checkpoint} does not exist. Name the checkpoint of the network, '
            'a local file.'
        )
    network = MODELS.build(config)
    content = read_checkpoint(str(checkpoint))
    load_fitting(network, content, str(checkpoint))
    meta = content.get('meta')
    trained = meta.get(TRAINED_WITH) if isinstance(meta, dict) else None
    if isinstance(network, HasTrainingSettings):
        known = trained if isinstance(trained, dict) else {}
        _check_settings(network.trained_with, known, f'{user}: checkpoint={checkpoint}')
    return network.eval()


def _check_settings(
    given: Mapping[str, object], trained: Mapping[str, object], subject: str
) -> None:
    for key, value in trained.items():
        if given.get(key, value) != value:
            raise UserInputError(
                f'{subject} was trained with {key}={value}, but the `network` of the walk has '
                f'{key}={given[key]}. Set network.{key} of the refiner to the value of the '
                'training, or train with that of the walk.'
            )
    missing = [key for key in given if key not in trained]
    if missing:
        print_log(
            f'{subject} does not say with which {", ".join(missing)} it was trained: not compared '
            'with the `network` of the walk.',
            logger='current',
            level=logging.WARNING,
        )
