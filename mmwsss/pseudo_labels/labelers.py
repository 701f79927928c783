"""Labelers, which turn scores into label maps."""

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import TASK_UTILS
from mmwsss.structures import BACKGROUND, IGNORE_INDEX, Labeler, seg_map_from_scores


def conflict_label(
    scores: Tensor,
    classes: Tensor,
    *,
    conflict_threshold: float = 0.9,
    saliency_threshold: int | None = 32,
    attention_threshold: float = 0.8,
) -> Tensor:
    """Label every pixel by its best score, and ignore pixels with contradictory scores.

    With the background score ``G_0 = 1 - saliency / 255`` and class scores ``G_1 ... G_n``:

    1. a pixel gets the label of its best score; ties go to background, then to the lower class;
    2. it is ignored if two or more scores exceed ``conflict_threshold``;
    3. background is ignored where ``saliency >= saliency_threshold``, or where a class score
       exceeds ``attention_threshold``.

    Args:
        scores: Background first, then the classes, (1+n, H, W); n may be 0.
        classes: Class index of each row after the first, in any order, (n,).
        conflict_threshold: Score above which a label counts as certain.
        saliency_threshold: Saliency in 0..255 at or above which a pixel cannot be background. It is
            read from the background score; None if that does not come from saliency.
        attention_threshold: Class score above which a pixel cannot be background.

    Returns:
        Label map with 255 on ignored pixels, uint8 (H, W).

    Source: the published code of Zhou et al., "Regional Semantic Contrast and Aggregation for
    Weakly Supervised Semantic Segmentation", CVPR 2022. As there, thresholds are single precision.
    """
    scores = scores.float()
    classes, order = classes.to(scores.device).sort()
    label = seg_map_from_scores(torch.cat([scores[:1], scores[1:][order]]), classes)
    conflict = (scores > _single(conflict_threshold)).sum(dim=0) >= 2
    doubtful = (scores[1:] > _single(attention_threshold)).any(dim=0)
    if saliency_threshold is not None:
        # Half a step lower, so that rounding of 1 - saliency / 255 does not matter.
        doubtful = doubtful | (scores[0] < 1 - (saliency_threshold - 0.5) / 255)
    ignored = conflict | ((label == BACKGROUND) & doubtful)
    return label.masked_fill(ignored, IGNORE_INDEX)


def has_foreground(label: Tensor, *, min_share: float) -> Tensor:
    """Whether at least ``min_share`` of the pixels of a label map (H, W) is foreground, bool ()."""
    foreground = (label != BACKGROUND) & (label != IGNORE_INDEX)
    # In double precision, a share such as 12 / 1200 equals the literal 0.01 exactly.
    return foreground.sum(dtype=torch.float64) / foreground.numel() >= min_share


def _single(threshold: float) -> float:
    """Round to single precision, so that a score equal to the threshold does not exceed it."""
    return float(np.float32(threshold))


@TASK_UTILS.register_module()
class ArgmaxLabeler(Labeler):
    """Give every pixel the label of its best score; background wins ties."""

    def __call__(self, scores: Tensor, sample: SegDataSample) -> Tensor:
        """Turn scores (1+n, H, W) into labels, uint8 (H, W)."""
        return seg_map_from_scores(scores, sample.cam_label)


@TASK_UTILS.register_module()
class ConflictLabeler(Labeler):
    """Label the clear pixels and ignore the rest; see :func:`conflict_label`.

    The background score should come from :class:`SaliencyBackground`. For an image without a
    saliency map, its other background score is read in the same way: a pixel may be background
    where that score is at least about ``1 - saliency_threshold / 255``. An image with hardly any
    foreground is ignored as a whole; such images are counted.

    Args:
        conflict_threshold: Two scores above it contradict each other.
        saliency_threshold: Saliency in 0..255 at or above which a pixel cannot be background; None
            if the background does not come from saliency.
        attention_threshold: Class score above which a pixel cannot be background.
        min_foreground: Share of foreground pixels below which the whole image is ignored.

    Raises:
        ValueError: If a threshold is out of range.

    Source: the published code of Zhou et al., "Regional Semantic Contrast and Aggregation for
    Weakly Supervised Semantic Segmentation", CVPR 2022.
    """

    def __init__(
        self,
        *,
        conflict_threshold: float = 0.9,
        saliency_threshold: int | None = 32,
        attention_threshold: float = 0.8,
        min_foreground: float = 0.01,
    ) -> None:
        shares = dict(
            conflict_threshold=conflict_threshold,
            attention_threshold=attention_threshold,
            min_foreground=min_foreground,
        )
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must be between 0 and 1, got {value}.')
        if saliency_threshold is not None and not 1 <= saliency_threshold <= 255:
            raise ValueError(
                'saliency_threshold must be a saliency of 1..255, or None if the background does '
                f'not come from saliency, got {saliency_threshold}.'
            )
        self.conflict_threshold = conflict_threshold
        self.saliency_threshold = saliency_threshold
        self.attention_threshold = attention_threshold
        self.min_foreground = min_foreground
        self._ignored: Tensor | int = 0  # a tensor, so that counting does not wait

    @property
    def counts(self) -> dict[str, int]:
        """Count images ignored for lack of foreground; reading it waits for the device."""
        return {'ignored_without_foreground': int(self._ignored)}

    def __call__(self, scores: Tensor, sample: SegDataSample) -> Tensor:
        """Turn scores (1+n, H, W) into labels, uint8 (H, W), 255 where they are contradictory."""
        label = conflict_label(
            scores,
            sample.cam_label,
            conflict_threshold=self.conflict_threshold,
            saliency_threshold=self.saliency_threshold,
            attention_threshold=self.attention_threshold,
        )
        kept = has_foreground(label, min_share=self.min_foreground)
        self._ignored = self._ignored + (~kept).long()
        return torch.where(kept, label, IGNORE_INDEX)
