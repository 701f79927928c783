"""Statistics of a single label map: the area of each class and its number of parts.

Legend: K foreground classes, H x W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmwsss.structures import BACKGROUND, IGNORE_INDEX, to_seg_label


@dataclass(frozen=True)
class LabelStatistics:
    """Counts of one label map.

    Attributes:
        background: Background pixels.
        ignored: Pixels with the value 255.
        pixels: Pixels of every class, int64 (K,).
        parts: Connected parts of every class, int64 (K,); pixels that touch at a corner belong
            together.
        largest: Pixels of the largest part of every class, int64 (K,).
    """

    background: int
    ignored: int
    pixels: np.ndarray
    parts: np.ndarray
    largest: np.ndarray


def label_statistics(label: np.ndarray, num_classes: int) -> LabelStatistics:
    """Count pixels and connected parts of every class.

    Args:
        label: Values 0..K and 255, uint8 (H, W).
        num_classes: Number K of foreground classes.
    """
    counts = np.bincount(label.ravel(), minlength=IGNORE_INDEX + 1)
    pixels = counts[to_seg_label(np.arange(num_classes))]
    parts, largest = np.zeros((2, num_classes), dtype=np.int64)
    for index in np.flatnonzero(pixels):
        areas = part_sizes(label == to_seg_label(int(index)))
        parts[index], largest[index] = len(areas), areas.max()
    return LabelStatistics(
        background=int(counts[BACKGROUND]),
        ignored=int(counts[IGNORE_INDEX]),
        pixels=pixels,
        parts=parts,
        largest=largest,
    )


def part_sizes(region: np.ndarray) -> np.ndarray:
    """Pixels of every connected part of a region.

    Args:
        region: bool (H, W).

    Returns:
        int32 (number of parts,).
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=8)
    return stats[1:, cv2.CC_STAT_AREA]  # the first one is the outside


def disagreement(first: np.ndarray, second: np.ndarray) -> float:
    """Share of differing pixels among those that either map labels as an object.

    Args:
        first: Label map, uint8 (H, W).
        second: Another one.

    Returns:
        A share in [0, 1]; NaN if both maps are all background.
    """
    region = (first != BACKGROUND) | (second != BACKGROUND)
    total = np.count_nonzero(region)
    return np.count_nonzero(first != second) / total if total else float('nan')


def image_iou(pairs: np.ndarray) -> float:
    """Mean IoU of one image over the classes in its label map or its true mask.

    Args:
        pairs: Result of :func:`~mmwsss.evaluation.label_folder.pixel_pairs`, (256, 256).

    Returns:
        A share in [0, 1], background included; NaN if every pixel is left out.
    """
    intersection = pairs.diagonal()
    union = pairs.sum(axis=0) + pairs.sum(axis=1) - intersection
    union[IGNORE_INDEX] = 0  # not a class; its pixels count as missed by the others
    seen = union > 0
    return float((intersection[seen] / union[seen]).mean()) if seen.any() else float('nan')


def tag_table(tags: Sequence[Sequence[int] | None], num_classes: int) -> np.ndarray | None:
    """Turn the tags of N images into a table.

    Args:
        tags: Class indices of every image, or None if unknown.
        num_classes: Number K of foreground classes.

    Returns:
        float32 (N, K), 1 with the tag, 0 without, NaN where the tags are not known. None where
        the tags of no image are known.
    """
    if all(own is None for own in tags):
        return None
    table = np.zeros((len(tags), num_classes), dtype=np.float32)
    for row, own in zip(table, tags, strict=True):
        if own is None:
            row[:] = np.nan
        else:
            row[list(own)] = 1
    return table
