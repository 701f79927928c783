"""Losses that push every pixel of a present class to one side of a threshold.

Legend: B images, K foreground classes, h x w positions, n = h*w, P present classes of all images.

Only the P rows of present classes are sorted and compared with a threshold. They are given as flat
indices, see :func:`present_rows`, so that their number is known without asking the device.

Source of all: Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised Semantic Segmentation",
ECCV 2022.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmwsss.models.losses.process_sums import sum_over_processes
from mmwsss.structures import image_indices

# The published code keeps thresholds, squares, ratios and probabilities away from 0 with these.
_MIN_THRESHOLD = 1e-4
_MIN_SQUARE = 1e-8
_MIN_RATIO = 1e-8
_RATIO_EPS = 1e-10
_MAX_NEGATIVE_TERM = 18.420680743952367  # -log(1e-8)


def present_rows(labels: Sequence[Tensor], num_classes: int) -> Tensor:
    """Flat indices ``b*K + c`` of the classes that are present in the images of a batch.

    Args:
        labels: Present classes of each image, B long tensors (n_b,).
        num_classes: Number K of foreground classes.

    Returns:
        Indices into the rows of maps (B*K, ...), long (P,), on the device of the labels.
    """
    classes = torch.cat(list(labels))
    return classes + num_classes * image_indices(labels).to(classes.device, non_blocking=True)


def proportion_threshold(probs: Tensor, proportions: Tensor, *, official: bool = False) -> Tensor:
    """Threshold above which lies the expected proportion of an image.

    ``t = max(p_(k), 1e-4)`` with ``p_(k)`` the k-th largest probability, counted from 0, and
    ``k = trunc(g*n)``, at most n-1. Without ties, k probabilities are above t.

    Args:
        probs: Probabilities of the present classes, (P, n).
        proportions: Their expected proportions g in [0, 1], float64 (P,). In single precision about
            one index in 20 000 is off.
        official: Let k be 0. By default at least one position is expected, so k >= 1 if n > 1.

    Returns:
        Thresholds (P,), constants for the gradient.

    Source: section 3.4. Differs from the published code: a proportion of 1 takes the smallest
        probability instead of failing. A present class of proportion 0 keeps one position, while
        the published threshold pushes all of them down.
    """
    num_positions = probs.shape[1]
    index = (proportions.double() * num_positions).long()  # truncates
    index = index.clamp(min=0 if official else 1).clamp(max=num_positions - 1)
    ordered = probs.detach().sort(dim=1, descending=True).values
    return ordered.gather(1, index.unsqueeze(1)).squeeze(1).clamp_min(_MIN_THRESHOLD)


def predicted_threshold(threshold_map: Tensor) -> Tensor:
    """Thresholds that the network predicts, ``t = max(sigmoid(mean tau), 1e-4)``.

    Args:
        threshold_map: Threshold maps tau before the sigmoid, (..., h, w).

    Returns:
        Thresholds (...,).

    Source: section 3.4; taking the mean before the sigmoid is from the published code.
    """
    return threshold_map.float().mean(dim=(-2, -1)).sigmoid().clamp_min(_MIN_THRESHOLD)


def positive_term(probs: Tensor, thresholds: Tensor) -> Tensor:
    r"""Uncertainty of the positions of a present class, 1 at the threshold and 0 at both ends.

    .. math::
        R(p) = \begin{cases} 1 - (p-t)^2 / t^2 & p \le t \\ 1 - (p-t)^2 / (1-t)^2 & p > t
        \end{cases}

    Args:
        probs: Probabilities p, (P, n).
        thresholds: Thresholds t in (0, 1), (P,).

    Returns:
        Uncertainties in [0, 1], (P, n).

    Source: section 3.2.
    """
    t = thresholds.unsqueeze(1)
    # The factored forms keep their precision next to 0 and 1, where 1 - (...)^2 cancels.
    below = probs / t * (2 - probs / t)
    above = (1 - probs) * (1 - 2 * t + probs) / (1 - t).square().clamp_min(_MIN_SQUARE)
    return torch.where(probs > t, above, below)


def probability_step_loss(
    logits: Tensor, proportions: Tensor, present: Tensor, *, official: bool = False
) -> Tensor:
    r"""Spatial-BCE that trains the probabilities against thresholds of known proportion.

    .. math::
        L = \frac{1}{BKn} \sum_{b,c,i} y R(p_i) - (1 - y) \log(1 - p_i), \quad p = \sigma(z)

    with the thresholds of :func:`proportion_threshold`. In a distributed run the mean covers the
    positions of *all* processes, gradients included.

    Args:
        logits: Logits z, (B, K, h, w).
        proportions: Expected proportions, float64 (B, K); those of absent classes do not count.
        present: Flat indices of the present classes, long (P,), see :func:`present_rows`.
        official: As published: a threshold may keep no position, and the term of an absent class
            has an upper bound, ``1 - p >= 1e-8``, beyond which it stops learning. By default that
            term is the softplus of the logit, which is unbounded.

    Returns:
        Loss ().

    Source: section 3.2, eq. 1. Differs from the paper: a mean instead of a sum, as in the published
    code.
    """
    rows = logits.float().flatten(0, 1).flatten(1)  # (B*K, n)
    probs = rows.index_select(0, present).sigmoid()  # (P, n)
    targets = proportions.flatten().index_select(0, present)
    thresholds = proportion_threshold(probs, targets, official=official)
    absent = rows.new_ones(len(rows)).index_fill(0, present, 0)
    negative = F.softplus(rows)  # -log(1 - sigmoid(z))
    if official:
        negative = negative.clamp_max(_MAX_NEGATIVE_TERM)
    total = positive_term(probs, thresholds).sum() + (absent * negative.sum(dim=1)).sum()
    count = total.new_full((), rows.numel())
    total, count = sum_over_processes(torch.stack([total, count])).unbind()
    return total / count.clamp_min(1)


def threshold_step_loss(logits: Tensor, threshold_map: Tensor, present: Tensor) -> Tensor:
    r"""Spatial-BCE that trains the predicted thresholds; the probabilities are constants.

    .. math::
        L = \frac{1}{|S|} \sum_S R(p) + \frac{1}{|T|} \sum_T R(p), \quad
        S = \{p \le t\},\ T = \{p > t\}

    over the positions of the present classes, with the thresholds of :func:`predicted_threshold`.
    A part without positions is 0. In a distributed run the sums cover *all* processes.

    Args:
        logits: Logits z, (B, K, h, w).
        threshold_map: Threshold maps before the sigmoid, (B, K, h, w).
        present: Flat indices of the present classes, long (P,), see :func:`present_rows`.

    Returns:
        Loss (), attached only to the threshold map.

    Source: section 3.4; the two means are from the published code. Differs from it: a part without
        positions is 0 instead of NaN.
    """
    probs = logits.detach().float().flatten(0, 1).flatten(1).index_select(0, present).sigmoid()
    thresholds = predicted_threshold(threshold_map).flatten().index_select(0, present)
    is_above = probs > thresholds.detach().unsqueeze(1)
    uncertainty = positive_term(probs, thresholds)
    sums = torch.stack(
        [
            uncertainty.masked_fill(is_above, 0).sum(),
            (~is_above).sum().to(uncertainty),
            uncertainty.masked_fill(~is_above, 0).sum(),
            is_above.sum().to(uncertainty),
        ]
    )
    below, num_below, above, num_above = sum_over_processes(sums).unbind()
    return below / num_below.clamp_min(1) + above / num_above.clamp_min(1)


def proportion_kl(
    logits: Tensor, proportions: Tensor, present: Tensor, *, official: bool = False
) -> Tensor:
    r"""Divergence of the mean probability of a present class from its expected proportion.

    .. math::
        L = \frac{1}{P} \sum_{y_c = 1} m \log\frac{m}{g} + (1-m) \log\frac{1-m}{1-g}, \quad
        m = \frac{1}{n} \sum_i \sigma(z_i)

    Zero without a present class. In a distributed run P counts the classes of *all* processes.

    Args:
        logits: Logits z, (B, K, h, w).
        proportions: Expected proportions g, float64 (B, K); those of absent classes do not count.
        present: Flat indices of the present classes, long (P,), see :func:`present_rows`.
        official: Allow g to be 0 or 1. By default it is clamped to ``[1/n, 1 - 1/n]``, one position
            away from either end (1/2 if there is a single position). The divergence from 0 is so
            large that the class never comes back, and that from 1 so large that it never leaves.

    Returns:
        Loss ().

    Source: section 3.3. Differs from the paper, whose ``q log(q/Q)`` of odds q, Q has its minimum
        at ``q = Q/e``. This is the divergence of the published code, with its minimum at ``m = g``.
    """
    rows = logits.float().flatten(0, 1).flatten(1).index_select(0, present)  # (P, n)
    mean = rows.sigmoid().mean(dim=1).double()
    target = proportions.double().flatten().index_select(0, present)
    if not official:
        margin = 1 / max(rows.shape[1], 2)
        target = target.clamp(margin, 1 - margin)
    inside = (mean / (target + _RATIO_EPS)).clamp_min(_MIN_RATIO).log()
    outside = ((1 - mean) / (1 - target + _RATIO_EPS)).clamp_min(_MIN_RATIO).log()
    total = (mean * inside + (1 - mean) * outside).sum()
    count = total.new_full((), len(rows))
    total, count = sum_over_processes(torch.stack([total, count])).unbind()
    return (total / count.clamp_min(1)).float()


@torch.no_grad()
def probability_over_proportion(logits: Tensor, proportions: Tensor, present: Tensor) -> Tensor:
    r"""Share of the expected area of the present classes that the probabilities reach.

    .. math::
        \frac{\sum_{y_c = 1} m}{\sum_{y_c = 1} g}, \quad m = \frac{1}{n} \sum_i \sigma(z_i)

    It is near 1 if probabilities follow their proportions, and near 0 if they have all collapsed to
    0. In that case :func:`positive_term` is 0 at every position, so the loss is small and nothing
    is learnt.

    Args:
        logits: Logits z, (B, K, h, w).
        proportions: Expected proportions g, float64 (B, K); those of absent classes do not count.
        present: Flat indices of the present classes, long (P,), see :func:`present_rows`.

    Returns:
        Quotient () for this process; 1 without a present class.
    """
    rows = logits.float().flatten(0, 1).flatten(1).index_select(0, present)  # (P, n)
    found = rows.sigmoid().mean(dim=1).sum()
    expected = proportions.flatten().index_select(0, present).sum()
    return (found + _RATIO_EPS) / (expected.to(found) + _RATIO_EPS)
