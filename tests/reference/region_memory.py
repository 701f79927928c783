"""Memory of regions, region by region and slot by slot, from the formulas; lists of numbers."""

import math


def ring(slots, filled, cursor, regions, momentum):
    """Updates slots [K][M][C], filled [K][M] and cursor [K]; regions are (class, gate, f)."""
    for label, gate, embedding in regions:
        if gate and all(math.isfinite(value) for value in embedding):
            store(slots, filled, label, cursor[label], embedding, momentum)
            cursor[label] = (cursor[label] + 1) % len(slots[label])


def images(slots, filled, entries, regions, momentum):
    """One slot per image and class: regions are (image, class, gate, f)."""
    for image, label, gate, embedding in regions:
        if gate and all(math.isfinite(value) for value in embedding):
            store(slots, filled, label, entries[image][label], embedding, momentum)


def store(slots, filled, label, slot, embedding, momentum):
    old = slots[label][slot]
    if filled[label][slot]:
        embedding = [momentum * m + (1 - momentum) * f for m, f in zip(old, embedding, strict=True)]
    slots[label][slot] = list(embedding)
    filled[label][slot] = True


def region_embeddings(feats, class_map, labels, probs, threshold, official=False):
    """Regions (class, gate, f) of feats [B][C][n] and class_map [B][K][n].

    With ``official``, the features stay masked by the classes of the image stored before.
    """
    regions = []
    for x, maps, label, prob in zip(feats, class_map, labels, probs, strict=True):
        x = [list(row) for row in x]
        for c in range(len(maps)):
            if not label[c] or not prob[c] > threshold:
                continue
            mask = above_mean(maps, c)
            size = sum(mask)
            masked = [[v * m for v, m in zip(row, mask, strict=True)] for row in x]
            regions.append((c, True, [sum(row) / size for row in masked]))
            x = masked if official else x
    return regions


def above_mean(maps, c):
    softmax = []
    for n in range(len(maps[c])):
        exps = [math.exp(row[n]) for row in maps]
        softmax.append(exps[c] / sum(exps))
    mean = sum(softmax) / len(softmax)
    return [float(prob > mean) for prob in softmax]
