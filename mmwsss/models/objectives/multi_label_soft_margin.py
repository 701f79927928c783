"""Objective of a multi-label classifier."""

import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, Encode, Objective, image_tags


@MODELS.register_module()
class MultiLabelSoftMargin(Objective):
    """Binary cross entropy of every class against the tags, averaged over images and classes.

    ``L = -1/(BK) sum y log s(x) + (1-y) log(1 - s(x))`` with the sigmoid s.

    Args:
        loss_weight: Factor of the loss.
        supervised: Number of images that count, from the start of each process's batch; all by
            default. The published code of AEFT has 8 of 32.
        part: Name of a class map in the outputs' parts, such as ``coarse_map``: its mean over space
            is scored against the tags instead of the logits of the pooling. The loss is then called
            ``loss_multi_label_<part>``.

    Shape:
        ``outputs.logits`` and ``outputs.targets`` (B, K), or the part (B, K, h, w); the loss is ().

    Raises:
        ValueError: If ``supervised`` is below 1.
    """

    def __init__(
        self, *, loss_weight: float = 1.0, supervised: int | None = None, part: str | None = None
    ) -> None:
        super().__init__()
        if supervised is not None and supervised < 1:
            raise ValueError(f'Expected `supervised` to be at least one image, got {supervised}.')
        self.loss_weight = loss_weight
        self.supervised = supervised
        self.part = part

    @property
    def requires(self) -> tuple[str, ...]:
        """The class map that is scored, if it replaces the logits of the pooling."""
        return () if self.part is None else (self.part,)

    def forward(
        self,
        outputs: CAMOutputs,
        data_samples: list[SegDataSample],
        encode: Encode,
    ) -> dict[str, Tensor]:
        """Score the logits of the images."""
        if self.part is None:
            name, logits = 'loss_multi_label', outputs.logits
            targets: Tensor = outputs.targets  # type: ignore[assignment]  # set in training
        else:
            name = f'loss_multi_label_{self.part}'
            logits = outputs.parts[self.part].float().mean(dim=(2, 3))
            targets = image_tags(data_samples)
        chosen = slice(self.supervised)
        loss = F.binary_cross_entropy_with_logits(logits.float()[chosen], targets.float()[chosen])
        return {name: self.loss_weight * loss}
