"""Spatial-BCE and the divergence of proportions, position by position, from the formulas."""

import math


def sigmoid(logit):
    return 1 / (1 + math.exp(-logit))


def uncertainty(prob, threshold):
    spread = threshold if prob <= threshold else 1 - threshold
    return 1 - (prob - threshold) ** 2 / max(spread**2, 1e-8)


def proportion_threshold(probs, proportion):
    """The k-th largest of a list of probabilities, counted from 0, with at least one above it."""
    k = int(proportion * len(probs))
    k = min(max(k, 1), len(probs) - 1)
    return max(sorted(probs, reverse=True)[k], 1e-4)


def predicted_threshold(threshold_row):
    return max(sigmoid(sum(threshold_row) / len(threshold_row)), 1e-4)


def probability_step(logits, labels, proportions):
    """Takes lists of B images x K classes x n positions, and of B images x K classes."""
    total = count = 0
    for image, image_labels, image_proportions in zip(logits, labels, proportions, strict=True):
        for row, label, proportion in zip(image, image_labels, image_proportions, strict=True):
            probs = [sigmoid(logit) for logit in row]
            threshold = proportion_threshold(probs, proportion)
            for prob in probs:
                total += uncertainty(prob, threshold) if label else -math.log(1 - prob)
                count += 1
    return total / count


def threshold_step(logits, threshold_maps, labels):
    below, above = [], []
    for image, image_maps, image_labels in zip(logits, threshold_maps, labels, strict=True):
        for row, threshold_row, label in zip(image, image_maps, image_labels, strict=True):
            if not label:
                continue
            threshold = predicted_threshold(threshold_row)
            for logit in row:
                prob = sigmoid(logit)
                (above if prob > threshold else below).append(uncertainty(prob, threshold))
    return sum(sum(part) / len(part) for part in (below, above) if part)


def proportion_kl(logits, labels, proportions):
    divergences = []
    for image, image_labels, image_proportions in zip(logits, labels, proportions, strict=True):
        for row, label, proportion in zip(image, image_labels, image_proportions, strict=True):
            if not label:
                continue
            mean = sum(sigmoid(logit) for logit in row) / len(row)
            margin = 1 / max(len(row), 2)
            target = min(max(proportion, margin), 1 - margin)
            divergence = 0.0
            for m, g in ((mean, target), (1 - mean, 1 - target)):
                divergence += m * math.log(max(m / (g + 1e-10), 1e-8))
            divergences.append(divergence)
    return sum(divergences) / len(divergences) if divergences else 0.0
