"""Contrast of regions with a memory in plain loops, as its formulas are written."""

import math

import torch
import torch.nn.functional as F


def region_weights(class_map, label):
    """Even weights over where a class is more likely than on average; one map (K, h, w)."""
    prob = class_map.softmax(dim=0)[label]
    mask = (prob > prob.mean()).float()
    return mask / mask.sum() if mask.any() else mask


def region_embedding(feats, weights):
    """Weighted mean of the features (C, h, w) of one image, position by position."""
    total = torch.zeros(len(feats))
    for y in range(feats.shape[1]):
        for x in range(feats.shape[2]):
            total = total + weights[y, x] * feats[:, y, x]
    return total


def nce(query, slots, filled, label, temperature):
    """Mean over the slots of a class, each against all slots of other classes; None without any."""
    logits = {}
    for k in range(len(slots)):
        rows = [m / m.norm() for m, used in zip(slots[k], filled[k], strict=True) if used]
        logits[k] = [torch.dot(query, m) / temperature for m in rows]
    negatives = [logit for k, own in logits.items() if k != label for logit in own]
    if not logits[label] or not negatives:
        return None
    terms = []
    for positive in logits[label]:
        total = torch.logsumexp(torch.stack([*negatives, positive]), dim=0)
        terms.append(total - positive)
    return sum(terms) / len(terms)


def mixup_contrast(embeddings, classes, partners, lam, slots, filled, temperature=0.07):
    """Loss of every region; a term without positives or negatives is left out."""
    losses = []
    for embedding, label, partner, own in zip(embeddings, classes, partners, lam, strict=True):
        mixed = own * embedding + (1 - own) * embeddings[partner]
        query = mixed / mixed.norm()
        loss = torch.zeros(())
        for weight, c in ((own, label), (1 - own, classes[partner])):
            term = nce(query, slots, filled, c, temperature)
            loss = loss + weight * term if term is not None else loss
        losses.append(loss)
    return torch.stack(losses)


def mean_over_images(losses, images):
    """Mean over the images that have regions of the mean over their regions."""
    means = []
    for image in sorted(set(images)):
        own = [loss for loss, i in zip(losses, images, strict=True) if i == image]
        means.append(sum(own) / len(own))
    return sum(means) / len(means)


def loss_of_loops(feats, class_map, labels, partners, lam, slots, temperature=0.07, floor=1e-4):
    """Sum over images of the mean over their regions, one region at a time, as published.

    Args:
        feats: (B, C, h, w).
        class_map: (B, K, h, w).
        labels: Present classes of each image, B lists.
        partners: Image and class of the partner of every region, in order.
        lam: Share of the region itself in each mixture.
        slots: (K, M, C), all filled.
        temperature: Temperature of the contrast.
        floor: Lower bound of the sum of exponentials.
    """
    total, row = 0, 0
    prob = class_map.detach().softmax(dim=1)

    def embed(image, label):
        mask = (prob[image, label] > prob[image, label].mean()).float()
        return (feats[image] * mask).sum(dim=(1, 2)) / mask.sum()

    for image, own_labels in enumerate(labels):
        losses = []
        for label in own_labels:
            partner, partner_label = partners[row]
            share = lam[row]
            mixed = share * embed(image, label) + (1 - share) * embed(partner, partner_label)
            query = F.normalize(mixed, dim=0)
            logits = F.normalize(slots.flatten(0, 1), dim=1) @ query / temperature
            logits = (logits - logits.max().detach()).view(slots.shape[:2])
            for weight, c in ((share, label), (1 - share, partner_label)):
                exponentials = logits.exp()
                negative = exponentials.sum() - exponentials[c].sum()
                denominator = (negative + exponentials[c]).clamp_min(floor)
                losses.append(weight * (denominator.log() - logits[c]).mean())
            row += 1
        total = total + sum(losses) / len(own_labels)
    return total


def partner_probabilities(images, classes, valid, rule):
    """Probability of every partner (column) of every region (row): image first, then region."""
    rows = range(len(images))
    table = torch.zeros(len(images), len(images))
    for r in rows:
        eligible = [
            j
            for j in rows
            if valid[r]
            and valid[j]
            and (rule == 'any' or (images[j] != images[r] and classes[j] != classes[r]))
        ]
        candidates = {images[j] for j in eligible}
        for j in eligible:
            in_image = sum(images[k] == images[j] for k in eligible)
            table[r, j] = 1 / len(candidates) / in_image
    return table


def floored_term(negative_sum, positive_logit, largest, floor):
    """One term of nce with the published floor, from numbers."""
    total = (negative_sum + math.exp(positive_logit)) / math.exp(largest)
    return math.log(max(total, floor)) - (positive_logit - largest)
