"""Background-aware pooling in plain loops, as its formulas are written: slow and obvious."""

import math

import torch
import torch.nn.functional as F


def background_queries(feats, mask, grid_size):
    """Mean background feature of every cell that has any; one list of (cell, vector) per image."""
    _, _, height, width = feats.shape
    queries = []
    for f, m in zip(feats, mask, strict=True):
        padding = [(grid_size - n % grid_size) % grid_size for n in (height, width)]
        before = [p // 2 if p % 2 == 0 else 0 for p in padding]
        size = [(n + p) // grid_size for n, p in zip((height, width), padding, strict=True)]
        image_queries = []
        for cell in range(grid_size**2):
            top = cell // grid_size * size[0] - before[0]
            left = cell % grid_size * size[1] - before[1]
            rows = slice(max(top, 0), max(top + size[0], 0))
            cols = slice(max(left, 0), max(left + size[1], 0))
            count = m[rows, cols].sum()
            if count > 0:
                image_queries.append((cell, (m[rows, cols] * f[:, rows, cols]).sum((1, 2)) / count))
        queries.append(image_queries)
    return queries


def windows(length):
    """Slices of the two bins along an axis of a resampled box."""
    if length == 1:
        return [slice(0, 1), slice(0, 1)]
    stride = max(length // 2, 1)
    kernel = max(length - stride, 1)
    return [slice(0, kernel), slice(stride, stride + kernel)]


def resampled_box(f, box, image_size):
    """Bilinear samples (C, bh, bw) of one box."""
    samples = []
    for low, high, pixels, length in (
        (box[1], box[3], image_size[0], f.shape[1]),
        (box[0], box[2], image_size[1], f.shape[2]),
    ):
        low, high = low / ((pixels - 1) / 2) - 1, high / ((pixels - 1) / 2) - 1
        half = (length - 1) / 2
        count = max(math.ceil(high * half + half) - math.floor(low * half + half), 1)
        samples.append(torch.linspace(float(low), float(high), count, dtype=f.dtype))
    y, x = torch.meshgrid(*samples, indexing='ij')
    grid = torch.stack([x, y], dim=-1)
    return F.grid_sample(f[None], grid[None], align_corners=False)[0]


def box_prototypes(feats, boxes, full_mask, mask, grid_size, min_background=0.125):
    """Pooled features of the bins of all boxes, (4K, C); ``boxes`` has one (m, 4) per image."""
    prototypes = []
    queries = background_queries(feats, mask, grid_size)
    for f, image_boxes, m, image_queries in zip(feats, boxes, full_mask, queries, strict=True):
        attended = m.float().mean() > min_background and len(image_queries) > 0
        for box in image_boxes:
            roi = resampled_box(f, box, m.shape)
            weight = torch.ones_like(roi[0])
            if attended:
                unit = F.normalize(roi, dim=0)
                similar = [
                    torch.einsum('c,cyx->yx', F.normalize(query, dim=0), unit).clamp_min(0)
                    for _, query in image_queries
                ]
                weight = 1 - torch.stack(similar).mean(0)
            for rows in windows(roi.shape[1]):
                for cols in windows(roi.shape[2]):
                    w = weight[rows, cols]
                    prototypes.append((w * roi[:, rows, cols]).sum((1, 2)) / (w.sum() + 1e-12))
    return torch.stack(prototypes) if prototypes else feats.new_zeros(0, feats.shape[1])


def region_logits(feats, class_weights, boxes, full_mask, mask, grid_size):
    """Scores of all box prototypes, then of all background queries: (4K + V, 1+K)."""
    prototypes = [box_prototypes(feats, boxes, full_mask, mask, grid_size)]
    for image_queries in background_queries(feats, mask, grid_size):
        prototypes += [query[None] for _, query in image_queries]
    return torch.cat(prototypes) @ class_weights.T
