"""Affinities of neighbouring cells, written from the formulas: loops, and the gather form."""

import math
from functools import lru_cache

import torch


def offsets(radius):
    """Half disc of offsets (dy, dx), row by row."""
    found = [(0, dx) for dx in range(1, radius)]
    for dy in range(1, radius):
        for dx in range(-radius + 1, radius):
            if dx * dx + dy * dy < radius * radius:
                found.append((dy, dx))
    return found


def pairs(size, radius):
    """Flat indices of the cells of all pairs as (k, first, second)."""
    height, width = size
    return [
        (k, y * width + x, (y + dy) * width + x + dx)
        for k, (dy, dx) in enumerate(offsets(radius))
        for y in range(height)
        for x in range(width)
        if y + dy < height and 0 <= x + dx < width
    ]


def affinities(feats, radius):
    """Affinities (B, K, h, w) pair by pair."""
    height, width = feats.shape[2:]
    result = torch.zeros(len(feats), len(offsets(radius)), height * width, dtype=feats.dtype)
    for b, f in enumerate(feats.flatten(2)):
        for k, i, j in pairs((height, width), radius):
            mean = sum(abs(c) for c in (f[:, j] - f[:, i]).tolist()) / len(f)
            result[b, k, i] = math.exp(-mean)
    return result.unflatten(2, (height, width))


def masks(labels, radius):
    """Masks (B, K, h, w) of background, foreground and negative pairs, pair by pair."""
    batch, height, width = labels.shape
    found = torch.zeros(3, batch, len(offsets(radius)), height * width, dtype=torch.bool)
    for b, label in enumerate(labels.flatten(1).tolist()):
        for k, i, j in pairs((height, width), radius):
            if label[i] == 255 or label[j] == 255:
                continue
            kind = 2 if label[i] != label[j] else 0 if label[i] == 0 else 1
            found[kind, b, k, i] = True
    return found.unflatten(3, (height, width))


@lru_cache(maxsize=4)
def pair_cells(size, radius):
    """Flat indices of the first and of the second cells of all pairs, (2, P)."""
    return torch.tensor(pairs(size, radius))[:, 1:].T.contiguous()


def gathered_affinities(feats, radius):
    """Affinities (B, P) of all P pairs at once: both cells of every pair are copied out."""
    first, second = pair_cells(feats.shape[2:], radius)
    cells = feats.flatten(2)
    difference = cells.index_select(2, second) - cells.index_select(2, first)  # (B, C, P)
    return torch.exp(-difference.abs().mean(dim=1))
