"""Pooling of the whole image into one score per class."""

from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import MODELS
from mmwsss.structures import Pooled, Pooling, image_tags


@MODELS.register_module()
class GlobalAveragePooling(Pooling):
    """Mean of the score map over all positions, scored against the tags of the image.

    Shape:
        score_map (B, K, h, w); logits (B, K) and multi-hot targets (B, K).

    Source: Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, eq. 1.
    """

    def forward(
        self, feats: Tensor, score_map: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> Pooled:
        """Pool the whole image; targets are the samples' ``gt_score``.

        Raises:
            ValueError: If a data sample has no ``gt_score``.
        """
        logits = score_map.mean(dim=(2, 3))
        targets = None if data_samples is None else image_tags(data_samples)
        return Pooled(logits, targets)

    def image_scores(self, score_map: Tensor) -> Tensor:
        """Probability of every class, (B, K)."""
        return score_map.mean(dim=(2, 3)).sigmoid()
