"""Affinities along paths, written from the formulas: loops, and the gather form."""

from functools import lru_cache

import torch

from reference.stencil_affinity import offsets, pairs


def path(offset):
    """Cells (y, x) of the path of an offset, one by one."""
    dy, dx = offset
    step = 1 if dx >= 0 else -1
    found = []
    for y in range(dy + 1):
        for x in range(0, dx + step, step):
            if (dy * x - dx * y) ** 2 < dy * dy + dx * dx:
                found.append((y, x))
    return found


def affinities(edge, radius):
    """Affinities (B, K, h, w) of boundary maps (B, 1, h, w), pair by pair."""
    height, width = edge.shape[2:]
    paths = [path(offset) for offset in offsets(radius)]
    result = edge.new_zeros(len(edge), len(paths), height * width)
    for b, rows in enumerate(edge[:, 0].tolist()):
        for k, first, _ in pairs((height, width), radius):
            y, x = divmod(first, width)
            result[b, k, first] = 1 - max(rows[y + v][x + u] for v, u in paths[k])
    return result.unflatten(2, (height, width))


@lru_cache(maxsize=4)
def path_indices(size, radius):
    """For each offset, the flat indices of the cells of all paths, (P, L)."""
    height, width = size
    flat = torch.arange(height * width).view(size)
    found = []
    for dy, dx in offsets(radius):
        first = flat[: max(height - dy, 0), max(-dx, 0) : max(width - max(dx, 0), 0)].flatten()
        steps = torch.tensor([v * width + u for v, u in path((dy, dx))])
        found.append(first[:, None] + steps)
    return found


def gathered_affinities(edge, radius):
    """Affinities (B, P) of all P pairs: every cell of every path is copied out."""
    cells = edge.flatten(1)
    indices = path_indices(tuple(edge.shape[2:]), radius)
    return 1 - torch.cat([cells[:, paths].amax(dim=2) for paths in indices], dim=1)
