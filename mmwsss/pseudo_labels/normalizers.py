"""Normalizers, which scale class activation maps to a known range, mostly [0, 1]."""

from typing import Literal

from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.cams.functional import max_normalize
from mmwsss.pseudo_labels.class_boxes import normalize_in_boxes
from mmwsss.pseudo_labels.learned_thresholds import (
    check_probabilities,
    convert_threshold,
    probability_planes,
    threshold_planes,
    winner_normalize,
)
from mmwsss.pseudo_labels.sample_fields import boxes_of, predicted_thresholds
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import Normalizer


@TASK_UTILS.register_module()
class MaxNormalize(Normalizer):
    """Divide every map by its maximum over the image; see :func:`max_normalize`.

    A map without activation stays 0.

    Source: Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
    Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.1.
    """

    def normalize(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Normalise maps (n, H, W)."""
        return max_normalize(cams)


@TASK_UTILS.register_module()
class MinMaxNormalize(Normalizer):
    """Scale every map to [0, 1] over the image, ``(m - min) / (max - min + eps)``.

    A constant map becomes 0. Use it for maps that may be above 0 everywhere, such as a maximum over
    epochs.

    Source: the published code of Zhou et al., "Regional Semantic Contrast and Aggregation for
    Weakly Supervised Semantic Segmentation", CVPR 2022.
    """

    def normalize(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Normalise maps (n, H, W)."""
        return max_normalize(cams - cams.amin(dim=(-2, -1), keepdim=True))


@TASK_UTILS.register_module()
class BoxNormalize(Normalizer):
    """Divide every map by its maximum in each box of its class; see :func:`normalize_in_boxes`."""

    requires = ('gt_instances',)

    def normalize(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Normalise maps (n, H, W); 0 outside the boxes of the class."""
        return normalize_in_boxes(cams, boxes_of(sample, cams))


@TASK_UTILS.register_module()
class LearnedThresholdPlanes(Normalizer):
    """Subtract the thresholds predicted by the classifier; a class is where the result exceeds 0.

    Label the planes with ``ConstantBackground(threshold=0)``. The maps are probabilities without
    temperature, as given by ``MultiScaleCAM(merge='mean_sigmoid')``.

    ``'paper'``: ``p_c - t_c`` with the network's probability p; see :func:`probability_planes`.
    ``'published'``: the different rule of the published code. Maps are kept where their class is
    the best, divided by their maximum (:func:`winner_normalize`), and compared with converted
    thresholds (:func:`convert_threshold`, :func:`threshold_planes`). Because the division changes
    the maps but not the thresholds, far more than ``p > t`` is labelled. A class that wins any
    pixel keeps at least one.

    Args:
        rule: Which of the two rules to use.

    Raises:
        ValueError: If ``rule`` is unknown, or maps are not probabilities.

    Source: Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised Semantic Segmentation",
        ECCV 2022, section 3.4.
    """

    requires = ('threshold_logit', 'log_temperature')

    def __init__(self, rule: Literal['paper', 'published'] = 'paper') -> None:
        if rule not in ('paper', 'published'):
            raise ValueError(f"rule must be 'paper' or 'published', got {rule!r}.")
        self.rule = rule

    def normalize(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Turn maps (n, H, W) into planes (n, H, W), above 0 where the class is present."""
        check_probabilities(cams, type(self).__name__)
        threshold_logit, log_temperature = predicted_thresholds(sample, cams)
        if self.rule == 'paper':
            return probability_planes(cams, threshold_logit, log_temperature)
        thresholds = convert_threshold(threshold_logit, log_temperature)
        return threshold_planes(winner_normalize(cams), thresholds)
