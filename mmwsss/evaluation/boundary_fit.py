"""Whether the borders of a label map lie on edges of its image.

Legend: H x W pixels.
"""

import cv2
import numpy as np

from mmwsss.structures import IGNORE_INDEX

_TOLERANCE = np.ones((5, 5), dtype=np.uint8)  # an edge up to two pixels away counts
_LEVELS = 256


def label_borders(label: np.ndarray) -> np.ndarray:
    """Mark the pixels on both sides of every border between two labels.

    Borders of ignored pixels are not marked, because there the labels do not say where an object
    ends. Neither is the frame of the image.

    Args:
        label: Label map, uint8 (H, W).

    Returns:
        bool (H, W).
    """
    borders = np.zeros(label.shape, dtype=bool)
    for one, other in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
    ):
        differ = label[one] != label[other]
        differ &= (label[one] != IGNORE_INDEX) & (label[other] != IGNORE_INDEX)
        borders[one] |= differ
        borders[other] |= differ
    return borders


def edge_strength(image: np.ndarray) -> np.ndarray:
    """Strongest change of colour within two pixels of every pixel.

    The change is the length of the Sobel gradient, in the channel where it is largest, after a
    slight blur against noise.

    Args:
        image: RGB, uint8 (H, W, 3).

    Returns:
        uint8 (H, W), from 0 (none) to 255 (the strongest of the image).
    """
    smooth = cv2.GaussianBlur(image, (5, 5), 1.0)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    squares = across * across + down * down  # (H, W, 3)
    # Channel by channel: a maximum over the innermost axis takes ten times as long.
    strength = np.sqrt(np.maximum.reduce(cv2.split(squares)))
    peak = max(float(strength.max()), 1e-12)
    levels = (strength * ((_LEVELS - 1) / peak)).astype(np.uint8)
    return cv2.dilate(levels, _TOLERANCE)


def boundary_fit(label: np.ndarray, image: np.ndarray) -> float:
    """Measure how strong the edges of an image are along the borders of its labels.

    ``mean over border pixels p of |{q: s(q) < s(p)}| / N + |{q: s(q) = s(p)}| / 2N``, where s is
    :func:`edge_strength` and q runs over the N pixels of the image. Borders drawn at random give
    0.5; borders on the strongest edges give 1.

    Args:
        label: Label map, uint8 (H, W).
        image: RGB, uint8 (H, W, 3).

    Returns:
        A value in [0, 1]; NaN if the label map has no border.
    """
    borders = label_borders(label)
    if not borders.any():
        return float('nan')
    strength = edge_strength(image)
    counts = np.bincount(strength.ravel(), minlength=_LEVELS)
    rank = (np.cumsum(counts) - counts / 2) / strength.size
    return float(rank[strength[borders]].mean())
