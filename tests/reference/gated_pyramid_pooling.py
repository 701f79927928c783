"""Gated pyramid pooling in plain loops, as its formulas are written: slow and obvious."""

import math

import torch


def level(score_map, num_bins):
    """Grid of mean scores, enlarged bilinearly between the centres of its cells."""
    num_images, num_classes, height, width = score_map.shape
    enlarged = torch.zeros_like(score_map)
    for i in range(num_images):
        for c in range(num_classes):
            cells = score_map.new_zeros(num_bins, num_bins)
            for row in range(num_bins):
                for col in range(num_bins):
                    rows = cell_range(row, num_bins, height)
                    cells[row, col] = score_map[i, c, rows, cell_range(col, num_bins, width)].mean()
            for y in range(height):
                for x in range(width):
                    for row, row_weight in neighbours(y, num_bins, height):
                        for col, col_weight in neighbours(x, num_bins, width):
                            enlarged[i, c, y, x] += row_weight * col_weight * cells[row, col]
    return enlarged


def cell_range(index, num_bins, length):
    return slice(index * length // num_bins, math.ceil((index + 1) * length / num_bins))


def neighbours(position, num_bins, length):
    """The two cells around the centre of a position, with their weights."""
    place = max((position + 0.5) * num_bins / length - 0.5, 0.0)
    low = min(int(place), num_bins - 1)
    high = min(low + 1, num_bins - 1)
    return [(low, 1 - (place - low)), (high, place - low)]


def attention(first, second, weight):
    """Sigmoid of a zero-padded 3x3 convolution of both maps (K, h, w): (2, h, w)."""
    maps = torch.cat([first, second])
    _, height, width = maps.shape
    result = maps.new_zeros(2, height, width)
    for y in range(height):
        for x in range(width):
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        there = maps[:, y + dy, x + dx]
                        result[:, y, x] += weight[:, :, dy + 1, dx + 1] @ there
    return result.sigmoid()


def gate(first, second, positive_weight, negative_weight):
    joined = []
    for u, v in zip(first, second, strict=True):
        s = attention(u.clamp_min(0), v.clamp_min(0), positive_weight)
        t = attention((-u).clamp_min(0), (-v).clamp_min(0), negative_weight)
        positive = (u.clamp_min(0) * s[0] + v.clamp_min(0) * s[1]) / 2
        negative = ((-u).clamp_min(0) * t[0] + (-v).clamp_min(0) * t[1]) / 2
        joined.append(positive - negative)
    return torch.stack(joined)


def gated_map(score_map, weights, bins):
    """``weights`` has the positive and the negative weight of every gate."""
    joined = level(score_map, bins[0])
    for num_bins, (positive, negative) in zip(bins[1:], weights, strict=True):
        joined = gate(joined, level(score_map, num_bins), positive, negative)
    return joined


def logits(score_map, gated):
    rows = []
    for scores, weights in zip(score_map, gated, strict=True):
        row = []
        for x, q in zip(scores, weights, strict=True):
            evidence = (x.clamp_min(0) * q.clamp_min(0)).mean()
            row.append(evidence - ((-x).clamp_min(0) * (-q).clamp_min(0)).mean())
        rows.append(torch.stack(row))
    return torch.stack(rows)
