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
    """For each length of path: which pairs have it, and the flat indices of their cells (P, L)."""
    width, found = size[1], {}
    for number, (k, first, _) in enumerate(pairs(size, radius)):
        cells = path(offsets(radius)[k])
        flat = [first + v * width + u for v, u in cells]
        numbers, indices = found.setdefault(len(cells), ([], []))
        numbers.append(number)
        indices.append(flat)
    return [(torch.tensor(numbers), torch.tensor(indices)) for numbers, indices in found.values()]


def gathered_affinities(edge, radius):
    """Affinities (B, P) of all P pairs: every cell of every path is copied out."""
    cells = edge.flatten(1)
    groups = path_indices(tuple(edge.shape[2:]), radius)
    result = edge.new_zeros(len(edge), sum(len(numbers) for numbers, _ in groups))
    values = [cells[:, indices].amax(dim=2) for _, indices in groups]
    order = torch.cat([numbers for numbers, _ in groups])
    return result.index_copy(1, order, 1 - torch.cat(values, dim=1))
