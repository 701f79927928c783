"""How much of every image each foreground class covers, measured on label maps.

Legend: N images, K foreground classes, H x W pixels.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from mmwsss.datasets.image_files import read_label_map
from mmwsss.datasets.true_masks import read_true_mask
from mmwsss.evaluation.label_folder import label_file
from mmwsss.structures import IGNORE_INDEX, to_seg_label


def class_proportions(label_map: np.ndarray, num_classes: int) -> np.ndarray:
    """Share of the pixels of every foreground class, ``|{p: label(p) = c + 1}| / (H W)``.

    Ignored pixels are in the denominator, so they count as not belonging to the class.

    Args:
        label_map: Values 0..K and 255, uint8 (H, W).
        num_classes: Number K of foreground classes.

    Returns:
        Shares in [0, 1], float64 (K,).

    Source: Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised Semantic Segmentation",
        ECCV 2022. The published code uses this share of all pixels, the paper the ratio of
        foreground to background.
    """
    pixels = np.bincount(label_map.ravel(), minlength=IGNORE_INDEX + 1)
    return pixels[to_seg_label(np.arange(num_classes))] / label_map.size


def proportions_of_folder(
    folder: str | os.PathLike,
    img_ids: Iterable[str],
    num_classes: int,
    *,
    mask_values: Mapping[int, int] | None = None,
) -> np.ndarray:
    """Measure the proportions of the label maps ``<folder>/<image id>.png``.

    Args:
        folder: Folder of the label maps.
        img_ids: The N images.
        num_classes: Number K of foreground classes.
        mask_values: Meaning of the values if the folder holds true masks of other classes; see
            :func:`mmwsss.datasets.true_masks.mask_values`.

    Returns:
        Share of the pixels of every class in every image, float64 (N, K).

    Raises:
        UserInputError: A label map is missing, damaged, or has values other than 0..K and 255.
    """
    rows = []
    for img_id in img_ids:
        path = label_file(folder, img_id)
        if mask_values is None:
            rows.append(proportions_of_file(path, num_classes))
        else:
            mask = read_true_mask({'seg_map_path': path, 'mask_values': mask_values})
            rows.append(class_proportions(mask, num_classes))
    return np.stack(rows) if rows else np.zeros((0, num_classes))


def proportions_of_file(path: Path, num_classes: int) -> np.ndarray:
    """Measure the proportions of one label map, float64 (K,).

    Raises:
        UserInputError: As in :func:`proportions_of_folder`.
    """
    return class_proportions(read_label_map(path, num_classes=num_classes), num_classes)
