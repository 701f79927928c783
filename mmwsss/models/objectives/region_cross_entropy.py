"""Objective of regions that carry exactly one class."""

from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.losses.region_cross_entropy_loss import region_cross_entropy
from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, Encode, Objective


@MODELS.register_module()
class RegionCrossEntropy(Objective):
    """Cross entropy over the regions of a batch, each with one class or background.

    Args:
        loss_weight: Factor of the loss.

    Shape:
        ``outputs.logits`` (R, 1+K) and ``outputs.targets`` (R,); the loss is ().

    Source: as :func:`region_cross_entropy`.
    """

    def __init__(self, *, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self,
        outputs: CAMOutputs,
        data_samples: list[SegDataSample],
        encode: Encode,
    ) -> dict[str, Tensor]:
        """Score the logits of the regions."""
        targets: Tensor = outputs.targets  # type: ignore[assignment]  # set in training
        loss = region_cross_entropy(outputs.logits.float(), targets)
        return {'loss_region': self.loss_weight * loss}
