"""Cross entropy of regions that carry exactly one class."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.models.losses.process_sums import sum_over_processes
from mmwsss.structures import IGNORE_INDEX


def region_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy averaged over all regions that count.

    In a distributed run the mean covers the regions of *all* processes, gradients included. Images
    differ in their number of boxes, and with a mean per process the weight of a region would differ
    as well.

    Args:
        logits: Scores of background and classes, (R, 1+K).
        targets: Label-map values, (R,); 255 is ignored.

    Returns:
        Loss (); zero, with zero gradients, when no region counts.

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
        Segmentation", CVPR 2021, section 3.1. Differs from the published code: the mean is over all
        processes instead of one.
    """
    total = F.cross_entropy(logits, targets, ignore_index=IGNORE_INDEX, reduction='sum')
    counted = (targets != IGNORE_INDEX).sum().to(total)
    total, counted = sum_over_processes(torch.stack([total, counted])).unbind()
    return total / counted.clamp_min(1)
