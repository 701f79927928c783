"""Measures that find suspicious images in a label set without true masks.

Legend: N images, K foreground classes. Every measure gives one number per image, float64 (N,),
which is higher for more suspicious images and NaN where the measure does not apply.
"""

import numpy as np


def tags_without_pixel(pixels: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """Count the tags of every image whose class has no pixel.

    Args:
        pixels: Pixels of every class, (N, K).
        tags: 1 with the tag, 0 without, NaN where tags are unknown, (N, K).
    """
    lacking = (tags == 1) & (pixels == 0)
    return _where_known(lacking.sum(axis=1), tags)


def share_without_tag(pixels: np.ndarray, tags: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Share of every image that is labelled as classes without a tag.

    Args:
        pixels: Pixels of every class, (N, K).
        tags: As in :func:`tags_without_pixel`.
        sizes: Pixels of every image, (N,).
    """
    return _where_known((pixels * (tags == 0)).sum(axis=1) / sizes, tags)


def unusual_share(pixels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Deviation of class shares from their usual values: ``max_c |log2(s_c / median(s_c))|``.

    The maximum runs over the classes c in the image, the median over the images that have c.

    Args:
        pixels: Pixels of every class, (N, K).
        sizes: Pixels of every image, (N,).
    """
    logs = np.log2(np.where(pixels > 0, pixels / sizes[:, None], np.nan))  # (N, K)
    far = np.full(len(sizes), np.nan)
    for column in logs.T:
        seen = ~np.isnan(column)
        if seen.any():
            distance = np.abs(column[seen] - np.median(column[seen]))
            far[seen] = np.fmax(far[seen], distance)
    return far


def most_suspicious(values: np.ndarray, count: int) -> list[int]:
    """Indices of the images with the highest values above 0, the highest first.

    Args:
        values: A measure, (N,).
        count: Maximum number of images.
    """
    order = np.argsort(-np.nan_to_num(values, nan=0.0), kind='stable')[:count]
    return [int(index) for index in order if values[index] > 0]


def _where_known(values: np.ndarray, tags: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(tags).any(axis=1), np.nan, values)
