"""Class activation maps as pure functions of tensors.

Legend: n classes, h x w feature grid, H x W pixels.
"""

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Rectify = Literal['before_resize', 'after_resize', 'never']


def activation_maps(
    score_map: Tensor,
    size: tuple[int, int],
    *,
    align_corners: bool = False,
    rectify: Rectify = 'before_resize',
    square_root: bool = False,
    resize_multiple: int = 1,
) -> Tensor:
    """Class evidence at image size, after ReLU and bilinear resizing in the given order.

    Args:
        score_map: Class scores of every position, (n, h, w).
        size: Height and width (H, W) of the result.
        align_corners: Corner convention of the resize.
        rectify: Whether negative evidence is cut before the resize (PSA) or after it (BANA, whose
            maps are scores of resized features). ``'never'`` keeps it, for maps that are logits.
        square_root: Whether to take the square root between ReLU and resize, which lifts weak
            evidence. PSA's published code does so on VGG16 but not on ResNet-38.
        resize_multiple: Resize to the next multiples of this many pixels and crop the result to
            (H, W). With the stride of the features, this is the rule of IRN's published code for
            its full-size maps. A cell then keeps the width of a stride, but because the features
            are aligned with the left border, maps lie several pixels too far to the lower right.

    Returns:
        Maps, >= 0 unless they are never rectified, (n, H, W).

    Raises:
        ValueError: If ``square_root`` is set but ``rectify`` is not ``'before_resize'``.
    """
    check_rectification(rectify, square_root)
    if rectify == 'before_resize':
        score_map = score_map.relu()
    if square_root:
        score_map = score_map.sqrt()
    height, width = size
    covering = tuple(math.ceil(side / resize_multiple) * resize_multiple for side in size)
    # Maps form the batch: there may be none, and PyTorch refuses to resize zero channels.
    maps = F.interpolate(
        score_map[:, None], covering, mode='bilinear', align_corners=align_corners
    ).squeeze(1)[:, :height, :width]
    return maps.relu() if rectify == 'after_resize' else maps


def check_rectification(rectify: Rectify, square_root: bool) -> None:
    """Refuse an unknown ``rectify``, and a square root of scores that may be negative.

    Raises:
        ValueError: If ``rectify`` is unknown, or ``square_root`` is set but ``rectify`` is not
            ``'before_resize'``.
    """
    if rectify not in get_args(Rectify):
        raise ValueError(f'Expected rectify to be one of {get_args(Rectify)}, got {rectify!r}.')
    if square_root and rectify != 'before_resize':
        raise ValueError(
            f"square_root expects rectify='before_resize', got {rectify!r}: scores may still be "
            'negative before the resize. Change one of the two.'
        )


def resized_mean(maps: Tensor, size: tuple[int, int], *, align_corners: bool = False) -> Tensor:
    """Mean over the pixels of bilinearly resized maps, without resizing them.

    The resize is ``R m C^T``, so its mean is ``r^T m c`` with the column means r of R and c of C.
    This weights the positions, differently at the border than inside.

    Args:
        maps: Maps m, (..., h, w).
        size: Height and width (H, W) to resize to.
        align_corners: Corner convention of the resize.

    Returns:
        Means (...).
    """
    rows, columns = (
        _resize_weights(source, target, align_corners=align_corners, like=maps)
        for source, target in zip(maps.shape[-2:], size, strict=True)
    )
    with torch.autocast(maps.device.type, enabled=False):
        return torch.einsum('...hw,h,w->...', maps, rows, columns)


def _resize_weights(source: int, target: int, *, align_corners: bool, like: Tensor) -> Tensor:
    """Weight of each of the source positions in the mean over the resized ones, (source,)."""
    impulses = torch.eye(source, device=like.device, dtype=like.dtype)[None]
    resized = F.interpolate(impulses, target, mode='linear', align_corners=align_corners)
    return resized.mean(dim=2)[0]


def mean_sigmoid(total: Tensor, num_maps: int) -> Tensor:
    """Probability of the mean logit, ``sigmoid(sum / num_maps)``, shaped as ``total``.

    Args:
        total: Sum of raw maps, logits of any sign.
        num_maps: Number of maps in the sum.

    Source: the published code of Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised
        Semantic Segmentation", ECCV 2022, which averages over scales and flips before the sigmoid.
    """
    return (total / num_maps).sigmoid()


def max_normalize(cams: Tensor, *, eps: float = 1e-5) -> Tensor:
    """Divide every map by its maximum, ``cam / (max(cam) + eps)``: (n, H, W) -> (n, H, W)."""
    return cams / (cams.amax(dim=(-2, -1), keepdim=True) + eps)


def min_max_normalize(cams: Tensor, *, eps: float = 1e-5) -> Tensor:
    """Scale the positive part of every map to [0, 1).

    With R = ReLU and minimum and maximum of R(c) over space,
    ``norm(c) = R(R(c) - min - eps) / (max - min + eps)``. A constant map, or one without positive
    values, becomes 0. The gradient also flows through minimum and maximum.

    Args:
        cams: Maps of any sign, (..., H, W).
        eps: The amount cut off, which also keeps the quotient finite.

    Returns:
        Maps shaped as ``cams``.

    Source: the published code of Yoon et al., "Adversarial Erasing Framework via Triplet with Gated
        Pyramid Pooling Layer for Weakly Supervised Semantic Segmentation", ECCV 2022.
    """
    positive = cams.relu()
    low = positive.amin(dim=(-2, -1), keepdim=True)
    high = positive.amax(dim=(-2, -1), keepdim=True)
    return (positive - low - eps).relu() / (high - low + eps)
