"""Refiners that use box labels."""

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.pseudo_labels.class_boxes import union_of_boxes
from mmwsss.pseudo_labels.functional import softmax_inside
from mmwsss.pseudo_labels.sample_fields import boxes_of, known_background
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import Refiner


@TASK_UTILS.register_module()
class SoftmaxInBoxes(Refiner):
    """Turn the scores inside the boxes into probabilities; scores outside stay unchanged.

    Source: Oh et al., CVPR 2021, published code only. Scores in 0..1 become odds of at most e, so
    that a CRF can still change them.
    """

    requires = ('background_mask',)

    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample) -> Tensor:
        """Refine scores (1+n, H, W)."""
        return softmax_inside(scores, ~known_background(sample, scores))


@TASK_UTILS.register_module()
class BoxConstraint(Refiner):
    """Zero the scores of a class outside all of its boxes; the background stays unchanged.

    Source: Oh et al., CVPR 2021, Sec. 3.2 and published code.
    """

    requires = ('gt_instances',)

    def refine(self, scores: Tensor, image: np.ndarray, sample: SegDataSample) -> Tensor:
        """Refine scores (1+n, H, W)."""
        inside = union_of_boxes(boxes_of(sample, scores), scores[1:])
        return torch.cat([scores[:1], scores[1:] * inside])
