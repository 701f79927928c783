"""Where a memory stores regions and how it blends them, as pure functions.

Legend: K classes, M slots per class, C channels, R regions, r momentum.

Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
Segmentation", CVPR 2022, section 3.2, pseudo-region memory bank.
"""

import torch
from torch import Tensor


def ring_slots(classes: Tensor, gate: Tensor, cursor: Tensor, *, num_slots: int) -> Tensor:
    """Slots of regions that are stored one after another, ``(cursor_c + n) mod M``.

    Args:
        classes: Class of every region, (R,).
        gate: Whether a region is stored, bool (R,); n counts those of its class before it.
        cursor: Next slot of every class, (K,).
        num_slots: M.

    Returns:
        Slots 0..M-1, (R,); meaningless for regions that are not stored.
    """
    ordinal, _ = _among_equals(classes.where(gate, len(cursor)))
    return (cursor[classes] + ordinal) % num_slots


def blend_into_slots_(
    slots: Tensor,
    filled: Tensor,
    embeddings: Tensor,
    index: Tensor,
    gate: Tensor,
    *,
    momentum: float,
) -> None:
    """Store embeddings, ``m <- r m + (1 - r) f``, in place; an unfilled slot becomes f itself.

    Regions of the same slot are stored in order: the k-th of n has the weight ``(1 - r) r^(n -
    k)``, or ``r^(n - 1)`` if it fills an empty slot. The result is that of a loop over the regions.
    Nothing waits for the device.

    Args:
        slots: m, (K, M, C), contiguous; changed.
        filled: Which slots hold an embedding, bool (K, M), contiguous; changed.
        embeddings: f, finite, (R, C).
        index: Slot of every region, class by class, ``c M + slot``, (R,).
        gate: Whether a region is stored, bool (R,).
        momentum: r.
    """
    rows, is_filled = slots.flatten(0, 1), filled.flatten()  # views, (K M, C) and (K M,)
    ordinal, count = _among_equals(index.where(gate, len(rows)))
    fills = (ordinal == 0) & ~is_filled[index]
    weight = torch.where(fills, 1.0, 1 - momentum) * momentum ** (count - 1 - ordinal)
    weight = (weight * gate).to(slots.dtype).unsqueeze(1)
    rows.index_add_(0, index, weight * (embeddings - rows[index]))
    # Regions that are not stored mark a row beyond the last one.
    stored = is_filled.new_zeros(len(rows) + 1).index_fill_(0, index.where(gate, len(rows)), True)
    is_filled.logical_or_(stored[:-1])


def _among_equals(keys: Tensor) -> tuple[Tensor, Tensor]:
    """For each key, how many equal keys come before it and how many there are, (R,) each."""
    ordered, order = keys.sort(stable=True)
    start = torch.searchsorted(ordered, keys)
    end = torch.searchsorted(ordered, keys, right=True)
    place = torch.empty_like(order).scatter_(0, order, torch.arange(len(keys), device=keys.device))
    return place - start, end - start


def intersected_regions(region_weights: Tensor, written: Tensor) -> Tensor:
    """Region weights that the published code uses for the embeddings that it stores.

    In its loop over the classes of an image, that code overwrites the features with the masked
    ones. A class is therefore pooled over the intersection of its region with those of all classes
    stored before it, but still divided by the size of its own region: ``w_c prod_{c' <= c, written}
    [w_c' > 0]``.

    Args:
        region_weights: w, uniform within each region, (B, K, h, w).
        written: Which classes of the images are stored, bool (B, K).

    Returns:
        Weights, (B, K, h, w); unchanged if an image stores only one class.
    """
    inside = (region_weights > 0) | ~written[:, :, None, None]
    return region_weights * inside.to(region_weights.dtype).cumprod(dim=1)
