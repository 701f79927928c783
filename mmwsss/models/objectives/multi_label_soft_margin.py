"""Objective of a multi-label classifier."""

from collections.abc import Callable

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs


@MODELS.register_module()
class MultiLabelSoftMargin(BaseModule):
    """Binary cross entropy of every class against the tags, averaged over images and classes.

    ``L = -1/(BK) sum y log s(x) + (1-y) log(1 - s(x))`` with the sigmoid s.

    Args:
        loss_weight: Factor of the loss.
        supervised: How many images of the batch of a process count, the first ones; all without it.
            The published code of AEFT has 8 of 32.

    Shape:
        ``outputs.logits`` and ``outputs.targets`` (B, K); the loss is ().
    """

    requires: tuple[str, ...] = ()

    def __init__(self, *, loss_weight: float = 1.0, supervised: int | None = None) -> None:
        super().__init__()
        if supervised is not None and supervised < 1:
            raise ValueError(f'Expected `supervised` to be at least one image, got {supervised}.')
        self.loss_weight = loss_weight
        self.supervised = supervised

    def forward(
        self,
        outputs: CAMOutputs,
        data_samples: list[SegDataSample],
        encode: Callable[[Tensor], CAMOutputs],
    ) -> dict[str, Tensor]:
        """Score the logits of the images."""
        logits = outputs.logits.float()[: self.supervised]
        targets = outputs.targets.float()[: self.supervised]
        loss = F.binary_cross_entropy_with_logits(logits, targets)
        return {'loss_multi_label': self.loss_weight * loss}
