"""Quality of class activation maps at every background threshold, measured with true masks.

Legend: K foreground classes, n present classes, T thresholds, H x W pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from prettytable import PrettyTable
from torch import Tensor

from mmwsss.registry import METRICS
from mmwsss.structures import to_seg_label

_EPS = 1e-5


def seed_histogram(
    cams: Tensor, cam_label: Tensor, mask: Tensor, *, thresholds: Tensor, num_classes: int
) -> Tensor:
    """Count the pixels of an image by true label, best class and strength of its activation.

    Args:
        cams: Class activation maps >= 0 at the size of the mask, (n, H, W).
        cam_label: Their classes 0..K-1, (n,).
        mask: True label map, (H, W); values above K (255 = ignore) do not count.
        thresholds: Ascending background scores, (T,).
        num_classes: Foreground classes K.

    Returns:
        Counts, int64 (T+1, 1+K, 1+K), indexed by the number of thresholds that the activation
        exceeds, the label of the best class and the true label.
    """
    # A row of zeros, which exceeds no threshold >= 0, makes "no class present" an ordinary case.
    normalised = cams / (cams.amax(dim=(1, 2), keepdim=True) + _EPS) if len(cams) else cams
    padded = torch.cat([normalised, normalised.new_zeros(1, *mask.shape)])
    row_label = torch.cat([to_seg_label(cam_label), cam_label.new_zeros(1)]).to(cams.device)
    peak, row = padded.max(dim=0)  # (H, W)
    exceeded = torch.bucketize(peak, thresholds)
    size = 1 + num_classes
    cell = (exceeded * size + row_label[row]) * size + mask.long()
    # Pixels without a class go into an extra cell, because dropping them would need their number.
    last = (len(thresholds) + 1) * size * size
    cell = torch.where(mask > num_classes, last, cell)
    counts = torch.bincount(cell.flatten(), minlength=last + 1)
    return counts[:last].view(len(thresholds) + 1, size, size)


def seed_confusions(histogram: Tensor) -> Tensor:
    """Turn the result of :func:`seed_histogram` into one confusion matrix per threshold.

    A pixel is foreground if its activation exceeds the threshold, so ties are background.

    Args:
        histogram: (T+1, 1+K, 1+K).

    Returns:
        Counts [threshold, seed label, true label], (T, 1+K, 1+K).
    """
    above = histogram.flip(0).cumsum(0).flip(0)[1:].clone()  # (T, 1+K, 1+K)
    foreground = above[:, 1:].sum(dim=1)  # (T, 1+K)
    above[:, 0] = histogram.sum(dim=(0, 1)) - foreground
    return above


def mean_iou(confusions: Tensor) -> Tensor:
    """Mean IoU in percent over the classes that occur in seed or truth, (T, 1+K, 1+K) -> (T,)."""
    hits = confusions.diagonal(dim1=1, dim2=2).double()
    union = confusions.sum(dim=1) + confusions.sum(dim=2) - hits
    return 100 * torch.where(union > 0, hits / union, torch.nan).nanmean(dim=1)


@METRICS.register_module()
class SeedIoUWithGroundTruth(BaseMetric):
    """Best mean IoU of class activation maps over all background thresholds, in one pass.

    The thresholds are 0.00, 0.01, ..., 0.99, and the best one is chosen with the true masks of the
    same images. The result is an upper bound that describes a classifier. Use it to compare seeds,
    never to choose settings of a weakly-supervised pipeline.

    Samples need ``cams`` (n, H, W) >= 0 at the size of ``gt_sem_seg``, and ``cam_label``. Every
    map is divided by its maximum + 1e-5. Memory does not grow with the number of images.

    Returns:
        ``mIoU``, ``precision`` and ``recall`` (means over classes, percent) at the best threshold,
        and ``threshold``. The whole curve is logged.
    """

    default_prefix = 'seed'
    thresholds = torch.tensor(np.arange(100) / 100, dtype=torch.float32)

    def __init__(self, **base: Any) -> None:  # the three options of the library's class
        super().__init__(**base)
        self._start()

    def _start(self) -> None:
        self._num_images = 0
        # Counts of all images but the last, and of the last, which may be padding of the rank.
        self._sum = self._last = torch.zeros((), dtype=torch.int64)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Add the pixels of a batch to the counts of this process."""
        for sample in data_samples:
            counts = self._count(sample)
            self._sum = self._sum + self._last
            self._last = counts
            self._num_images += 1

    def _count(self, sample: dict) -> Tensor:
        cams, mask = sample['cams'], sample['gt_sem_seg']['data'].squeeze(0)
        if cams.shape[1:] != mask.shape:
            raise ValueError(
                f'cams are {tuple(cams.shape[1:])}, but the true mask is {tuple(mask.shape)} '
                '(height, width). Load masks after the resize in the test pipeline, so that '
                'they keep the original size.'
            )
        return seed_histogram(
            cams,
            sample['cam_label'],
            mask.to(cams.device),
            thresholds=self.thresholds.to(cams.device),
            num_classes=len(self.dataset_meta['classes']) - 1,
        )

    def evaluate(self, size: int) -> dict:
        """Sum the images of all ranks and find the best threshold.

        A sampler repeats images until all ranks have equally many, so the last image of a rank may
        also be counted elsewhere. As in the library's class, image i of rank r has the number
        ``i * ranks + r``, and numbers >= `size` do not count.
        """
        rank, num_ranks = get_dist_info()
        if self._num_images:
            last = (self._num_images - 1) * num_ranks + rank
            counts, number = self._sum, self._num_images - 1
            if last < size:
                counts, number = counts + self._last, number + 1
            self.results = [(counts.cpu(), number)]
        self._start()
        return super().evaluate(size=num_ranks)

    def compute_metrics(self, results: list[tuple[Tensor, int]]) -> dict[str, float]:
        """Find the best threshold for the sum of the counts of all ranks."""
        size = len(self.dataset_meta['classes'])
        histogram = torch.zeros(len(self.thresholds) + 1, size, size, dtype=torch.int64)
        for counts, _ in results:
            histogram += counts
        confusions = seed_confusions(histogram)
        curve = mean_iou(confusions)
        best = int(curve.nan_to_num(-1).argmax())
        self._log_curve(curve, sum(number for _, number in results))
        hits = confusions[best].diagonal().double()
        return {
            'mIoU': float(curve[best]),
            'threshold': float(self.thresholds[best]),
            'precision': float(100 * (hits / confusions[best].sum(dim=1)).nanmean()),
            'recall': float(100 * (hits / confusions[best].sum(dim=0)).nanmean()),
        }

    def _log_curve(self, curve: Tensor, num_images: int) -> None:
        table = PrettyTable(['threshold', 'mIoU'])
        for threshold, value in zip(self.thresholds[::5], curve[::5], strict=True):
            table.add_row([f'{threshold:.2f}', f'{value:.2f}'])
        print_log(
            f'seeds of {num_images} images against true masks (255 ignored):\n{table}',
            logger='current',
        )
