"""Labels from predicted thresholds, as pure functions of tensors.

A classifier with a threshold branch predicts, for every image and class, the logit of a threshold
on ``sigmoid(exp(T) z)``, where z is its raw map and T the logarithm of a learned temperature.

Legend: n classes with a map, H x W pixels.

Source: Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised Semantic Segmentation", ECCV
2022. The paper labels by ``p - t``; converted thresholds and the normalisation by winners come from
its published code.
"""

import torch
from torch import Tensor


def check_probabilities(maps: Tensor, part: str) -> None:
    """Refuse maps that cannot be compared with a probability threshold, such as raw scores.

    Args:
        maps: Maps (n, H, W).
        part: Name of the part that needs probabilities, for the message.

    Raises:
        ValueError: If a value is outside [0, 1] or NaN.
    """
    if not ((maps >= 0) & (maps <= 1)).all():  # NaN as well
        raise ValueError(
            f'{part} expects probabilities in [0, 1], got maps from {maps.min():.3g} to '
            f"{maps.max():.3g}. Merge them with MultiScaleCAM(merge='mean_sigmoid'), which --tta "
            "runs, on a classifier with rectify='never'."
        )


def convert_threshold(threshold_logit: Tensor, log_temperature: Tensor) -> Tensor:
    """Threshold on ``sigmoid(z)`` equivalent to the given one on ``sigmoid(exp(T) z)``.

    ``t' = sigmoid(logit(t) / exp(T))``. The published code solves for it with a root finder.

    Args:
        threshold_logit: ``logit(t)``, (n,).
        log_temperature: T, (n,).

    Returns:
        Thresholds t' in [0, 1], (n,).
    """
    return (threshold_logit * (-log_temperature).exp()).sigmoid()


def winner_normalize(maps: Tensor, *, eps: float = 1e-8) -> Tensor:
    """Keep each pixel only in the map of its best class, and divide every map by its maximum.

    ``w_c(p) = s_c(p) [s_c(p) = max_k s_k(p)]``, then ``w_c / (max_p w_c + eps)``. Tied classes all
    keep the pixel; a class that wins no pixel is 0.

    Args:
        maps: Maps s >= 0, (n, H, W).
        eps: Keeps the quotient finite.

    Returns:
        Maps in [0, 1], (n, H, W).
    """
    if len(maps) == 0:
        return maps
    won = torch.where(maps == maps.amax(dim=0), maps, 0)
    return won / (won.amax(dim=(1, 2), keepdim=True) + eps)


def threshold_planes(maps: Tensor, thresholds: Tensor) -> Tensor:
    """Excess of maps over their thresholds, ``s_c - t_c`` where it is positive, else -1.

    Args:
        maps: Maps s, (n, H, W).
        thresholds: Threshold t of each, (n,).

    Returns:
        Planes in {-1} and (0, 1], (n, H, W).
    """
    excess = maps - thresholds[:, None, None]
    return torch.where(excess > 0, excess, -1)


def probability_planes(maps: Tensor, threshold_logit: Tensor, log_temperature: Tensor) -> Tensor:
    """Distance of the network's probabilities from their thresholds, ``p - t``.

    ``p = sigmoid(exp(T) z)`` with ``z = logit(s)``, ``t = sigmoid(threshold_logit)``.

    Args:
        maps: Probabilities without temperature s, (n, H, W).
        threshold_logit: Logit of the threshold of each, (n,).
        log_temperature: T, (n,).

    Returns:
        Planes in [-1, 1], (n, H, W).
    """
    scale = log_temperature.exp()[:, None, None]
    probabilities = (scale * maps.logit()).sigmoid()
    return probabilities - threshold_logit.sigmoid()[:, None, None]
