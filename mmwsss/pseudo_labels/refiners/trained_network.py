"""Refiners with a trained network, which is loaded and compared with its training settings."""

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
    """Refiner that uses a trained network, built and loaded at the first image.

    Args:
        network: Config of the network.
        checkpoint: Its checkpoint, a local file; None if a pipeline sets it later.

    Attributes:
        network_type: Type of such a network, for messages.
        network_method: Method that its class must have.

    Raises:
        UserInputError: If no model of the type of ``network`` is registered, or it is of another
            kind.
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
        """Files whose content affects the result."""
        return (str(self.checkpoint),) if self.checkpoint else ()

    def loaded_network(self, device: torch.device) -> Any:
        """Return the network in evaluation mode, on a device.

        Raises:
            UserInputError: If the checkpoint is missing, does not match the network, or was trained
                with other settings.
        """
        if self._loaded is None:
            self._loaded = load_network(self.network, self.checkpoint, user=type(self).__name__)
        return self._loaded.to(device)

    def normalized(self, network: Any, image: np.ndarray) -> Tensor:
        """Preprocess an RGB image (H, W, 3) as in training, (1, 3, H, W)."""
        bgr = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)  # as from LoadImage
        return network.data_preprocessor(dict(inputs=[bgr]))['inputs']

    def _check_type(self, network: dict) -> None:
        """Find typos now: the network is only built at the first image, hours after the start."""
        kind = network.get('type')
        found = MODELS.get(kind) if kind and isinstance(kind, str) else kind
        if not found or not hasattr(found, self.network_method):
            problem = 'is another kind of network' if found else 'is not a registered model'
            raise UserInputError(
                f'{type(self).__name__}: network.type = {kind!r} {problem}. Use the config of the '
                f"trained network, usually type='{self.network_type}'; list your own modules in "
                '`custom_imports`.'
            )


def load_network(config: dict, checkpoint: str | None, *, user: str) -> Any:
    """Build a network with the weights of a checkpoint, for evaluation.

    Settings that the checkpoint does not state are named in the log and not compared.

    Args:
        config: Config of the network.
        checkpoint: Its checkpoint, a local file.
        user: Name of the refiner, for messages.

    Raises:
        UserInputError: If the checkpoint is missing, its weights do not match the network, or they
            were trained with other settings, such as another radius.
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
                f'{key}={given[key]}. Set network.{key} of the refiner to the value in training, '
                'or train with the value of the walk.'
            )
    missing = [key for key in given if key not in trained]
    if missing:
        print_log(
            f'{subject} does not state the {", ".join(missing)} of its training; the `network` of '
            'the walk cannot be compared with it.',
            logger='current',
            level=logging.WARNING,
        )
