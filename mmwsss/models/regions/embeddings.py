"""Regions of the present classes of images, and their embeddings.

A region of a class in an image is a weighting of the feature grid that sums to 1. A region without
any position is *empty*, all 0. The regions of a batch are one tensor (B, K, h, w), with 0 for
absent classes. They are listed image by image with ascending classes, an order that the host knows
from the tags.

Legend: B images, K classes, C channels, R regions (pairs of an image and a present class), h x w
feature grid.

Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
Segmentation", CVPR 2022, section 3.2, pseudo-region representation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmwsss.structures import image_indices


@dataclass(frozen=True)
class Regions:
    """Regions of a batch, with one row per pair of an image and a present class.

    Attributes:
        images: Index of the image, int64 (R,).
        classes: Class 0..K-1, int64 (R,).
        embeddings: Weighted mean of the features, (R, C); 0 for an empty region.
        valid: Which regions are not empty, bool (R,).
    """

    images: Tensor
    classes: Tensor
    embeddings: Tensor
    valid: Tensor


def mean_threshold_regions(class_map: Tensor, tags: Tensor) -> Tensor:
    """Evenly weighted regions where a class is more likely than on average.

    ``M_c = [p_c > mean_hw p_c]`` for the present classes, with p the softmax of the scores over the
    K classes; the weights are ``M_c / sum_hw M_c``. The region of a constant map is empty.

    Args:
        class_map: Class scores, (B, K, h, w).
        tags: Present classes, multi-hot (B, K).

    Returns:
        Weights, float32 (B, K, h, w), constants for the gradient.

    Source: Zhou et al., CVPR 2022, section 3.2. The softmax over the classes is from the published
        code. Differs: an empty region is all 0 instead of 0/0.
    """
    prob = class_map.detach().float().softmax(dim=1)
    above = prob > prob.mean(dim=(2, 3), keepdim=True)
    # Rounding may put the mean of equal numbers below them; the minimum is never above the mean.
    above &= prob > prob.amin(dim=(2, 3), keepdim=True)
    mask = above * tags[:, :, None, None].to(prob)
    return mask / mask.sum(dim=(2, 3), keepdim=True).clamp_min(1)


def region_embeddings(feats: Tensor, region_weights: Tensor, labels: Sequence[Tensor]) -> Regions:
    """Weighted mean of the features of every region, ``f_c = sum_p w_c(p) F(p)``.

    Uses one matrix product per image for all of its classes, padded to the largest number of
    classes of any image, without waiting for the device. The precision is at least float32, even
    under mixed precision.

    Args:
        feats: Features F, (B, C, h, w).
        region_weights: Weights w, (B, K, h, w).
        labels: Present classes of each image, ascending, B int64 tensors (n_b,).

    Returns:
        The regions, R = sum n_b rows.

    Raises:
        ValueError: Features and weights have different grids.

    Source: Zhou et al., CVPR 2022, section 3.2, masked average pooling.
    """
    if feats.shape[2:] != region_weights.shape[2:]:
        raise ValueError(
            f'Expected regions on the grid of the features, {tuple(feats.shape[2:])}, got '
            f'{tuple(region_weights.shape[2:])}. Take both from the same head.'
        )
    device = feats.device
    most = max(len(label) for label in labels)
    images = image_indices(labels)
    places = torch.cat([torch.arange(len(label)) for label in labels])  # in the image
    rows = (images * most + places).to(device, non_blocking=True)
    padded = pad_sequence([label.to(device, non_blocking=True) for label in labels], True)  # (B, N)
    grid = region_weights.shape[2] * region_weights.shape[3]
    dtype = torch.promote_types(feats.dtype, torch.float32)
    weights = region_weights.flatten(2).gather(1, padded.unsqueeze(2).expand(-1, -1, grid))
    with torch.autocast(device.type, enabled=False):
        means = _weighted_means(feats.to(dtype), weights.to(dtype))  # (B, N, C)
    return Regions(
        images.to(device, non_blocking=True),
        padded.flatten()[rows],
        means.flatten(0, 1)[rows],
        (weights.sum(dim=2) > 0).flatten()[rows],
    )


def _weighted_means(feats: Tensor, weights: Tensor) -> Tensor:
    """Means (B, N, C) of features (B, C, h, w); their gradient comes in their memory format."""
    if feats.is_contiguous(memory_format=torch.channels_last):
        return weights @ feats.permute(0, 2, 3, 1).flatten(1, 2)
    return (feats.flatten(2) @ weights.mT).mT
