"""Backgrounds, which score "no class" at every pixel on the scale of the normalised maps."""

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.pseudo_labels.functional import background_attention_map, keep_near_maximum
from mmwsss.pseudo_labels.learned_thresholds import check_probabilities, convert_threshold
from mmwsss.pseudo_labels.sample_fields import known_background, predicted_thresholds
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import Background


def power_background(cams: Tensor, *, alpha: float) -> Tensor:
    """Background where no class is active, ``(1 - max_c cam_c)^alpha``: (n, H, W) -> (1, H, W)."""
    if len(cams) == 0:
        return cams.new_ones(1, *cams.shape[1:])
    return (1 - cams.amax(dim=0, keepdim=True)).clamp_min(0) ** alpha


def winner_threshold(cams: Tensor, thresholds: Tensor) -> Tensor:
    """Threshold of the class with the largest map: (n, H, W) and (n,) -> (1, H, W)."""
    if len(cams) == 0:
        return cams.new_ones(1, *cams.shape[1:])
    return thresholds[cams.argmax(dim=0, keepdim=True)]


@TASK_UTILS.register_module()
class ConstantBackground(Background):
    """The same score at every pixel, which acts as a threshold on the maps.

    Args:
        threshold: Score of the background.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def background(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Score the background, (n, H, W) -> (1, H, W)."""
        return cams.new_full((1, *cams.shape[1:]), self.threshold)


@TASK_UTILS.register_module()
class PowerBackground(Background):
    """``(1 - max_c cam_c)^alpha`` of normalised maps.

    Args:
        alpha: Exponent; larger values give less background.

    Raises:
        ValueError: If ``alpha`` is not positive.

    Source: Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
    Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.1.
    """

    def __init__(self, alpha: float) -> None:
        if alpha <= 0:
            raise ValueError(f'alpha must be > 0, got {alpha}. A larger one gives less background.')
        self.alpha = alpha

    def background(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Score the background, (n, H, W) -> (1, H, W)."""
        return power_background(cams, alpha=self.alpha)


@TASK_UTILS.register_module()
class AttentionBackground(Background):
    """1 outside the boxes, and inside them the similarity to the background outside.

    ``u_0(p) = 1`` outside all boxes, ``A(p)`` inside where ``A(p) >= threshold * max A``, else 0;
    A is :func:`background_attention_map`. If an image has no pixel outside the boxes, A is 0; such
    images are counted.

    Args:
        threshold: Share of the maximum of A below which a pixel in a box is not background.

    Raises:
        ValueError: If ``threshold`` is not in [0, 1].

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
    Segmentation", CVPR 2021, Sec. 3.2. The threshold is only in the published code.
    """

    requires = ('feats', 'background_mask')

    def __init__(self, threshold: float = 0.99) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f'threshold must be a share between 0 and 1, got {threshold}.')
        self.threshold = threshold
        self._without_background: Tensor | int = 0  # a tensor, so that counting does not wait

    @property
    def counts(self) -> dict[str, int]:
        """Count images without a pixel outside the boxes; reading it waits for the device."""
        return {'without_background': int(self._without_background)}

    def background(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Score the background, (n, H, W) -> (1, H, W)."""
        outside = known_background(sample, cams)
        attention = background_attention_map(sample.feats.to(cams.device, cams.dtype), outside)
        self._without_background = self._without_background + (~outside.any()).long()
        kept = keep_near_maximum(attention, threshold=self.threshold)
        return torch.where(outside, 1, kept)


@TASK_UTILS.register_module()
class LearnedThreshold(Background):
    """The predicted threshold of the class with the largest map, at every pixel.

    A pixel then gets that class exactly where the map exceeds its threshold ``t'``
    (:func:`convert_threshold`). This chooses the background for each image and class without true
    masks. The maps are probabilities without temperature, as given by
    ``MultiScaleCAM(merge='mean_sigmoid')``. The method's own rule is
    :class:`LearnedThresholdPlanes`.

    Raises:
        ValueError: If maps are not probabilities.

    Source: the thresholds are those of Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised
    Semantic Segmentation", ECCV 2022. Their use as a background score is ours.
    """

    requires = ('threshold_logit', 'log_temperature')

    def background(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Score the background, (n, H, W) -> (1, H, W)."""
        check_probabilities(cams, type(self).__name__)
        return winner_threshold(cams, convert_threshold(*predicted_thresholds(sample, cams)))
