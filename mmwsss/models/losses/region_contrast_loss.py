"""Contrasts mixed regions with a memory of regions.

Legend: R regions, C channels, K classes, M slots per class. Nothing waits for the device, and an
input without regions (R = 0) gives empty results.

Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
Segmentation", CVPR 2022, section 3.2, regional semantic contrast.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Beta

_EPS = 1e-12
# Logit of an empty slot. Finite, so that the difference of two of them is not NaN.
_LOWEST = torch.finfo(torch.float32).min


def mixup_contrast(
    embeddings: Tensor,
    classes: Tensor,
    valid: Tensor,
    partners: Tensor,
    lam: Tensor,
    slots: Tensor,
    filled: Tensor,
    *,
    temperature: float = 0.07,
    floor: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Contrast every region, mixed with its partner, with the memory of both classes.

    With ``z = lam f + (1 - lam) f'`` of a region of class c and its partner of class c', and
    ``l_kj = cos(z, m_kj) / T``, the loss is ``lam nce(c) + (1 - lam) nce(c')`` with
    ``nce(c) = mean_j [log(sum_{k != c, i} e^l_ki + e^l_cj) - l_cj]``: every slot of the class is a
    positive against all slots of other classes. Means and sums cover the filled slots. A term is 0
    if its class has no filled slot or if no other class has one.

    Args:
        embeddings: f, (R, C).
        classes: c, int64 (R,).
        valid: Regions that are not empty, bool (R,).
        partners: Row of the partner of every region, int64 (R,); the region's own row if it has
            none.
        lam: Share of the region itself, (R,); 1 for a region without a partner.
        slots: Memory m, (K, M, C), of any length. It is a constant and is copied, so it may change
            before the backward pass.
        filled: Slots that count, bool (K, M).
        temperature: T.
        floor: Lower bound of the sum of exponentials in nce, after the largest logit, as a
            constant, was subtracted from all; 1e-4 in the published code. By default the sum is
            exact.

    Returns:
        Loss of every region, float32 (R,), 0 where it does not count; and which regions count, bool
        (R,): those that are valid, have a length above 0 and at least one term.

    Source: Zhou et al., CVPR 2022, section 3.2, the region mixup loss. Differs from the published
        code: no floor; empty slots do not count.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        embeddings, lam = embeddings.float(), lam.float()
        own, other = lam.unsqueeze(1), 1 - lam.unsqueeze(1)
        mixed = own * embeddings + other * embeddings.index_select(0, partners)
        length = mixed.norm(dim=1, keepdim=True)
        memory = F.normalize(slots.float(), dim=2, eps=_EPS).flatten(0, 1)  # (KM, C)
        logits = (mixed / length.clamp_min(_EPS)) @ memory.T / temperature
        logits = logits.unflatten(1, filled.shape)  # (R, K, M)
        others = classes.index_select(0, partners)
        has_slots = filled.any(dim=1)  # (K,)
        contrasted = has_slots & (has_slots.sum() > 1)
    nce, nce_other = class_contrast(logits, filled, torch.stack([classes, others]), floor=floor)
    counts_own, counts_other = contrasted[classes], contrasted[others] & (lam < 1)
    # A mixture of length 0 has no direction, and its gradient is meaningless.
    counted = valid & (length.squeeze(1) > _EPS) & (counts_own | counts_other)
    loss = (counts_own * lam) * nce + (counts_other * (1 - lam)) * nce_other
    return loss * counted, counted


def class_contrast(
    logits: Tensor, filled: Tensor, classes: Tensor, *, floor: float | None = None
) -> Tensor:
    """Contrast the slots of a class with those of all other classes, see above.

    The exponentials are summed once per class; the sum over all other classes follows from these.

    Args:
        logits: l of every region and slot, float32 (R, K, M).
        filled: Slots that count, bool (K, M).
        classes: Classes c of the regions, N per region, int64 (N, R).
        floor: As in :func:`mixup_contrast`.

    Returns:
        nce of the classes, (N, R). Finite but meaningless if neither this class nor another has a
        filled slot.
    """
    masked = logits.masked_fill(~filled, _LOWEST)
    class_sum = masked.logsumexp(dim=2)  # (R, K)
    is_class = classes.unsqueeze(2) == torch.arange(len(filled), device=classes.device)
    others = class_sum.masked_fill(is_class, _LOWEST).logsumexp(dim=2, keepdim=True)  # (N, R, 1)
    rows = torch.arange(len(logits), device=classes.device)
    positive = logits[rows, classes]  # (N, R, M)
    if floor is None:
        terms = F.softplus(others - positive)
    else:
        largest = masked.detach().amax(dim=(1, 2))[:, None]  # (R, 1)
        total = torch.logaddexp(others, positive) - largest
        terms = total.clamp_min(math.log(floor)) - (positive - largest)
    share = filled / filled.sum(dim=1, keepdim=True).clamp_min(1)
    return (terms * share[classes]).sum(dim=2)


def choose_partners(
    images: Tensor, classes: Tensor, valid: Tensor, *, rule: Literal['other', 'any'] = 'other'
) -> tuple[Tensor, Tensor]:
    """Choose at random the region that each region is mixed with.

    First an image is drawn uniformly among those with an eligible region, then one of its eligible
    regions. Random numbers come from PyTorch's generator of the device.

    Args:
        images: Image of every region, int64 (R,).
        classes: Class of every region, int64 (R,).
        valid: Regions that are not empty, bool (R,); empty ones neither get a partner nor become
            one.
        rule: ``'other'``: regions of other classes in other images are eligible, as in the paper.
            ``'any'``: all are, the region itself included, as in the published code.

    Returns:
        Row of the partner, int64 (R,), or the region's own row if there is none; and whether there
        is one, bool (R,).

    Source: Zhou et al., CVPR 2022, section 3.2, region mixup.
    """
    own = torch.arange(len(images), device=images.device)
    if len(own) == 0:
        return own, valid
    eligible = valid & valid.unsqueeze(1)  # (R, R)
    if rule == 'other':
        eligible = eligible & (images != images.unsqueeze(1)) & (classes != classes.unsqueeze(1))
    share = eligible * image_shares(images, eligible)
    # Weight divided by exponential noise is largest with a probability proportional to the weight.
    noise = torch.empty_like(share).exponential_()
    partners = (share / noise).masked_fill(~eligible, -1).argmax(dim=1)
    found = eligible.any(dim=1)
    return torch.where(found, partners, own), found


def draw_shares(found: Tensor, *, beta: float = 8.0) -> Tensor:
    """Draw the shares of regions in their mixtures, ``lam ~ Beta(beta, beta)``.

    Args:
        found: Which regions have a partner, bool (R,); the share of the others is 1.
        beta: Both parameters of the distribution; a larger value gives more even mixtures.

    Returns:
        lam, float32 (R,).

    Source: Zhou et al., CVPR 2022, section 3.2, region mixup; 8 in the published code.
    """
    parameter = torch.full(found.shape, beta, dtype=torch.float32, device=found.device)
    shares = Beta(parameter, parameter, validate_args=False).sample()
    return torch.where(found, shares, 1.0)


def image_shares(images: Tensor, counted: Tensor) -> Tensor:
    """One divided by the number of counted regions in the image of each region.

    Args:
        images: Image of every region, int64 (R,).
        counted: Which regions count, bool (..., R).

    Returns:
        Shares, float32 (..., R). Those of an image's counted regions sum to 1.
    """
    same = (images == images.unsqueeze(1)).float()
    with torch.autocast(images.device.type, enabled=False):
        return 1 / (counted.float() @ same).clamp_min(1)
