"""The losses of erasing triplets in plain loops, as their formulas are written."""

import random

import torch

EPS = 1e-5


def norm(cam):
    """One map (h, w)."""
    positive = cam.clamp_min(0)
    low, high = positive.min(), positive.max()
    return (positive - low - EPS).clamp_min(0) / (high - low + EPS)


def enlarge(cam, size):
    """Bilinear between the centres of the positions of one map (h, w)."""
    height, width = cam.shape
    result = cam.new_zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            for row, row_weight in neighbours((y + 0.5) * height / size[0] - 0.5, height):
                for col, col_weight in neighbours((x + 0.5) * width / size[1] - 0.5, width):
                    result[y, x] += row_weight * col_weight * cam[row, col]
    return result


def neighbours(place, length):
    place = max(place, 0.0)
    low = min(int(place), length - 1)
    return [(low, 1 - (place - low)), (min(low + 1, length - 1), place - low)]


def foreground(cams, tags, size):
    images = []
    for image_cams, image_tags in zip(cams, tags, strict=True):
        strongest = cams.new_zeros(size)
        for cam, tag in zip(image_cams, image_tags, strict=True):
            if tag:
                strongest = torch.maximum(strongest, norm(enlarge(cam.clamp_min(0), size)))
        images.append(strongest)
    return torch.stack(images)[:, None]


def distances(class_map, cams, tags, negatives, low_threshold):
    """Squared distance of every image that has a negative; None for the others."""
    result = []
    for i, negative in enumerate(negatives):
        if negative is None:
            result.append(None)
            continue
        total = 0.0
        for c in range(tags.shape[1]):
            own = other = 0.0
            if tags[i, c]:
                scaled = class_map[i, c] / (class_map[i, c].abs().max() + EPS)
                low = norm(cams[i, c]) < low_threshold
                own = scaled[low].sum() / (low.sum() + EPS)
            if tags[negative, c]:
                scaled = class_map[negative, c] / (class_map[negative, c].abs().max() + EPS)
                other = scaled.sum() / (scaled.numel() + EPS)
            total = total + (own - other) ** 2
        result.append(total)
    return result


def repulsion(distances, margin, min_hard):
    hard = [margin - d for d in distances if d is not None and d < margin]
    return sum(hard) / len(hard) if len(hard) >= max(min_hard, 1) else 0.0


def choose_negatives(tags):
    """Index of a random image without a common class, None without one.

    Every comparison reads numbers from the tensors, which copies them from the device to the host.
    """
    negatives = []
    for i in range(len(tags)):
        order = list(range(len(tags)))
        random.shuffle(order)
        found = None
        if tags[i].sum().item() > 0:
            for j in order:
                if tags[j].sum().item() > 0 and (tags[i] * tags[j]).sum().item() == 0:
                    found = j
                    break
        negatives.append(found)
    return negatives
