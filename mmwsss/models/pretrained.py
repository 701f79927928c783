"""Initialisation from a file of pretrained weights."""

import logging
from collections import OrderedDict
from pathlib import Path

from mmengine.logging import print_log
from mmengine.model import PretrainedInit, update_init_info
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from mmwsss.models.checkpoint_fit import (
    check_finite,
    compare,
    converted,
    listed,
    read_checkpoint,
    tensors_of,
)
from mmwsss.models.weight_sources import how_to_get
from mmwsss.registry import WEIGHT_INITIALIZERS
from mmwsss.structures import UserInputError


@WEIGHT_INITIALIZERS.register_module()
class Pretrained(PretrainedInit):
    """mmengine's ``Pretrained``, but a file from which nothing fits is refused.

    If a file is missing, one line says how to get it.

    Files of pretrained weights seldom fit exactly, as they include a classifier that a backbone
    lacks. A part is therefore enough, and one line says how much was loaded.

    Args:
        checkpoint: The file, or the address of one.
        prefix: Take only names with this prefix, such as ``'backbone.'``, and cut it off.
        map_location: Device to which tensors are read.
    """

    def __call__(self, module: nn.Module) -> None:
        """Copy what fits into the module.

        Raises:
            UserInputError: If the file cannot be read, no parameter fits, or values are not finite.
        """
        if '://' not in self.checkpoint and not Path(self.checkpoint).exists():
            raise UserInputError(
                f'weights {self.checkpoint} do not exist. {how_to_get(self.checkpoint)}'
            )
        content = read_checkpoint(self.checkpoint, map_location=self.map_location)
        state = self._below_prefix(tensors_of(content, self.checkpoint))
        own = converted(module, state)
        fit = compare(own, module.state_dict())
        parameters = dict(module.named_parameters())
        used = [name for name in fit.fitting if name in parameters]
        if parameters and not used:
            raise UserInputError(self._refusal(module, list(parameters), list(state)))
        check_finite(own, fit.fitting, self.checkpoint)
        # mmengine's load lets a backbone convert tensors of another shape (position embeddings).
        load_state_dict(module, state, strict=False, logger='current')
        print_log(
            f'{type(module).__name__}: {len(used)} of {len(parameters)} parameters loaded from '
            f'{self.checkpoint}; {len(fit.missing)} tensors of the model are not in the file, '
            f'{len(fit.different)} differ in shape, {len(fit.unexpected)} are left over in it',
            'current',
            logging.INFO if len(used) == len(parameters) else logging.WARNING,
        )
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())

    def _below_prefix(self, state: OrderedDict[str, object]) -> OrderedDict[str, object]:
        if not self.prefix:
            return state
        prefix = self.prefix.rstrip('.') + '.'
        for name in list(state):
            value = state.pop(name)
            if name.startswith(prefix):
                state[name.removeprefix(prefix)] = value
        return state

    def _refusal(self, module: nn.Module, needed: list[str], given: list[str]) -> str:
        below = f' below the prefix {self.prefix!r}' if self.prefix else ''
        return (
            f'{self.checkpoint} does not fit {type(module).__name__}: none of its {len(needed)} '
            f'parameters ({", ".join(needed[:3])}, ...) is in the file with the same name and '
            f'shape; tensors in it{below}: {listed(given)}. Name weights of this network in '
            'init_cfg.checkpoint, convert them (tools/model_converters), or set init_cfg.prefix.'
        )
