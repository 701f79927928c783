"""The noise-aware loss, one pixel after the other, written from the formulas."""

import math


def noise_aware_loss(cosines, label, aux_label, *, temperature, gamma, ignore_index=255):
    """Nested lists or arrays in, (loss_ce, loss_wce) out; a term without pixels is 0."""
    ce_sum = num_reliable = wce_sum = confidence_sum = 0.0
    for image in range(len(label)):
        for row in range(len(label[image])):
            for col in range(len(label[image][row])):
                y, z = int(label[image][row][col]), int(aux_label[image][row][col])
                if y == ignore_index:
                    continue
                scores = [float(plane[row][col]) for plane in cosines[image]]
                partition = sum(math.exp(temperature * s) for s in scores)
                cross_entropy = math.log(partition) - temperature * scores[y]
                if y == z:
                    ce_sum += cross_entropy
                    num_reliable += 1
                else:
                    confidence = ((1 + scores[y]) / max(1 + s for s in scores)) ** gamma
                    wce_sum += confidence * cross_entropy
                    confidence_sum += confidence
    return (
        ce_sum / num_reliable if num_reliable else 0.0,
        wce_sum / confidence_sum if confidence_sum else 0.0,
    )
