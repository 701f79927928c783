"""Labels for an affinity network, cell by cell."""

import numpy as np


def affinity_label(
    low: np.ndarray, high: np.ndarray, classes: list[int], stride: int
) -> np.ndarray:
    """(1+n, H, W) twice -> (H/stride, W/stride)."""
    height, width = low.shape[1] // stride, low.shape[2] // stride
    label = np.zeros((height, width), dtype=np.uint8)
    for y in range(height):
        for x in range(width):
            rows = slice(y * stride, (y + 1) * stride)
            columns = slice(x * stride, (x + 1) * stride)
            in_low = [float(channel[rows, columns].mean()) for channel in low]
            in_high = [float(channel[rows, columns].mean()) for channel in high]
            best = in_low.index(max(in_low))
            value = 255 if best == 0 else classes[best - 1] + 1
            if in_high.index(max(in_high)) == 0:
                value = 0
            if max(in_low + in_high) < 1e-5:
                value = 255
            label[y, x] = value
    return label
