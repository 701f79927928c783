"""Pooling of the whole image into one score a class."""

import torch
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import MODELS
from mmwsss.structures import Pooled


@MODELS.register_module()
class GlobalAveragePooling(BaseModule):
    """Mean of the score map over all positions, scored against the tags of the image.

    Shape:
        score_map (B, K, h, w); logits (B, K) and multi-hot targets (B, K).

    Source: Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, eq. 1.
    """

    with_background = False
    provides: tuple[str, ...] = ()

    def forward(
        self, feats: Tensor, score_map: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> Pooled:
        """Pool the whole image; targets are the samples' ``gt_score``.

        Raises:
            ValueError: If a data sample has no ``gt_score``.
        """
        logits = score_map.mean(dim=(2, 3))
        if data_samples is None:
            return Pooled(logits)
        if not all('gt_score' in sample for sample in data_samples):
            raise ValueError(
                'GlobalAveragePooling expected every data sample to have `gt_score`, its tags. '
                'Pack it in the pipeline.'
            )
        return Pooled(logits, torch.stack([sample.gt_score for sample in data_samples]))

    def image_scores(self, score_map: Tensor) -> Tensor:
        """Probability of every class, (B, K)."""
        return score_map.mean(dim=(2, 3)).sigmoid()
