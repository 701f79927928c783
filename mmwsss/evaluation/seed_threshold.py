"""A background threshold for class activation maps, chosen without masks.

Legend: n present classes, T thresholds, H x W pixels.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import METRICS, TASK_UTILS
from mmwsss.structures import Normalizer, UserInputError, check_contract


def foreground_shares(peak: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """Measure the share of foreground at each threshold, and how well the threshold separates.

    With ``w`` the share of the pixels above a threshold and ``m1``, ``m0`` the mean activations
    above and below it, the between-class variance is ``w (1 - w) (m1 - m0)^2``. If all pixels are
    on one side, it is 0.

    Args:
        peak: Largest activation of every pixel, ``max_c cam_c``, (H, W).
        thresholds: Ascending, (T,).

    Returns:
        Shares ``w`` and between-class variances, each float64 (T,).

    Source: Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Transactions on
        Systems, Man, and Cybernetics 9(1), 1979.
    """
    heights = peak.flatten().double()
    exceeded = torch.bucketize(heights, thresholds.to(heights))
    size = len(thresholds) + 1
    counts = torch.bincount(exceeded, minlength=size).double()
    sums = torch.bincount(exceeded, weights=heights, minlength=size)
    share, height = (
        values.flip(0).cumsum(0).flip(0)[1:] / len(heights) for values in (counts, sums)
    )
    spread = share * (1 - share)
    variance = (share * heights.mean() - height) ** 2 / spread
    return share, torch.where(spread > 0, variance, 0)


def exponent_of(threshold: float) -> float:
    """Exponent whose background is equivalent to a threshold: ``(1 - x)^alpha > x`` iff ``x < t``.

    Both give the same labels before any refinement.

    Args:
        threshold: t, between 0 and 1 (both excluded).
    """
    return math.log(threshold) / math.log(1 - threshold)


@METRICS.register_module()
class SeedThresholdWithoutMasks(BaseMetric):
    """The background threshold that best separates high from low activations.

    The between-class variance of ``max_c cam_c`` (:func:`foreground_shares`) is averaged over all
    images, and the threshold among 0.01, 0.02, ..., 0.99 with the largest mean is chosen. No mask
    is used, so a weakly-supervised pipeline may use the result. Samples need ``cams`` (n, H, W)
    and ``cam_label``. Images without a present class are left out.

    Args:
        normalize: Config of the normalizer of the maps, as in
            :class:`~mmwsss.pseudo_labels.PseudoLabelGenerator`. It must only need the maps.

    Returns:
        ``threshold``; ``exponent``, which gives the same seeds (:func:`exponent_of`);
        ``foreground``, the mean percentage of pixels above the threshold; ``images``, the number
        of images with a present class.

    Raises:
        ValueError: If the normalizer needs more than the maps.
        UserInputError: If no image has a class, or no threshold separates the maps.

    Source: the criterion is Otsu's (:func:`foreground_shares`). A single threshold for all images
        is ours.
    """

    default_prefix = 'seed'
    thresholds = torch.arange(1, 100, dtype=torch.float64) / 100

    def __init__(self, *, normalize: dict | None = None, **base: Any) -> None:
        super().__init__(**base)
        self.normalizer: Normalizer | None = None
        if normalize is not None:
            self.normalizer = check_contract(TASK_UTILS.build(normalize), Normalizer, 'normalize')
            if self.normalizer.requires:
                raise ValueError(
                    f'normalize={normalize["type"]} needs {", ".join(self.normalizer.requires)} '
                    'besides the maps. Use MaxNormalize, MinMaxNormalize or no normalizer.'
                )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Add the curves of a batch."""
        self.results += [self._curves(sample) for sample in data_samples]

    def _curves(self, sample: dict) -> np.ndarray | None:
        """Shares and variances of an image, (2, T); None without a present class."""
        cams = sample['cams'].float()
        if len(cams) == 0:
            return None
        if self.normalizer is not None:
            cams = self.normalizer.normalize(cams, SegDataSample())
        shares, variances = foreground_shares(cams.amax(dim=0), self.thresholds)
        return torch.stack([shares, variances]).cpu().numpy()

    def compute_metrics(self, results: list[np.ndarray | None]) -> dict[str, float]:
        """Choose the threshold for the images of all ranks."""
        curves = [curve for curve in results if curve is not None]
        if not curves:
            raise UserInputError(
                f'none of the {len(results)} images has a class, so there is no threshold to '
                'choose. Check the labels of the split.'
            )
        shares, variances = np.mean(curves, axis=0)
        best = int(variances.argmax())  # that of a NaN, if there is one
        if not variances[best] > 0:
            raise UserInputError(
                'no threshold between 0.01 and 0.99 separates high from low activations: the maps '
                'are constant, NaN or not between 0 and 1. Check the checkpoint, and give the '
                'generator a `normalize`, such as MaxNormalize.'
            )
        threshold = float(self.thresholds[best])
        return {
            'threshold': threshold,
            'exponent': exponent_of(threshold),
            'foreground': 100 * float(shares[best]),
            'images': float(len(curves)),
        }
