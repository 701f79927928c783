"""Objective of regions that carry exactly one class."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.losses.process_sums import sum_over_processes
from mmwsss.registry import MODELS
from mmwsss.structures import IGNORE_INDEX, CAMOutputs


def region_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy averaged over all regions that count.

    In a distributed run the mean is over the regions of *all* processes, gradients included: images
    differ in their number of boxes, and so would the weight of a region.

    Args:
        logits: Scores of background and classes, (R, 1+K).
        targets: Label-map values (R,); 255 does not count.

    Returns:
        Loss (); zero, with zero gradients, when no region counts.

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
        Segmentation", CVPR 2021, section 3.1. Differs from the published code: the mean is over all
        processes instead of one.
    """
    total = F.cross_entropy(logits, targets, ignore_index=IGNORE_INDEX, reduction='sum')
    counted = (targets != IGNORE_INDEX).sum().to(total)
    total, counted = sum_over_processes(torch.stack([total, counted])).unbind()
    return total / counted.clamp_min(1)


@MODELS.register_module()
class RegionCrossEntropy(BaseModule):
    """Cross entropy over the regions of a batch, each with one class or background.

    Args:
        loss_weight: Factor of the loss.

    Shape:
        ``outputs.logits`` (R, 1+K) and ``outputs.targets`` (R,); the loss is ().

    Source: as :func:`region_cross_entropy`.
    """

    requires: tuple[str, ...] = ()

    def __init__(self, *, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self,
        outputs: CAMOutputs,
        data_samples: list[SegDataSample],
        encode: Callable[[Tensor], CAMOutputs],
    ) -> dict[str, Tensor]:
        """Score the logits of the regions."""
        loss = region_cross_entropy(outputs.logits.float(), outputs.targets)
        return {'loss_region': self.loss_weight * loss}
