"""Refiner that relabels pixels by the features of the pixels labelled so far."""

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.pseudo_labels.functional import retrieval_scores
from mmwsss.pseudo_labels.sample_fields import known_background, label_weights
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import Refiner


@TASK_UTILS.register_module()
class RetrievalRefiner(Refiner):
    """Score pixels by the cosine to the mean feature of each label; see :func:`retrieval_scores`.

    The incoming scores label the pixels (argmax, ties go to the earlier row). A class without
    pixels is represented by its classifier weight. With boxes, all pixels outside them are known
    background; with tags, none are.
    """

    requires = ('feats', 'class_weights', 'pred_score')

    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample) -> Tensor:
        """Refine scores (1+n, H, W)."""
        regions = F.one_hot(scores.argmax(dim=0), len(scores)).permute(2, 0, 1)
        return retrieval_scores(
            sample.feats.to(scores.device, scores.dtype),
            regions,
            label_weights(sample).to(scores.device, scores.dtype),
            _known_background(sample, scores),
        )


def _known_background(sample: SegDataSample, scores: Tensor) -> Tensor:
    if 'background_mask' in sample:
        return known_background(sample, scores)
    return torch.zeros(scores.shape[1:], dtype=torch.bool, device=scores.device)
