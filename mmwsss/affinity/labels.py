"""Labels that teach an affinity network which neighbours belong together."""

import numpy as np

from mmwsss.structures import BACKGROUND, IGNORE_INDEX, UserInputError, to_seg_label

# Cells with all scores below this lie outside the image (crops are padded with zeros).
_NO_SCORE = 1e-5


def affinity_label(
    low: np.ndarray, high: np.ndarray, classes: np.ndarray, *, stride: int
) -> np.ndarray:
    """Label the cells of a feature grid where the class is certain.

    Both scores are averaged over ``stride x stride`` blocks; these rules then apply in order:

    - the label is the best of ``low``, the scores with a strong background;
    - ignored where that is background;
    - background where the best of ``high``, the scores with a weak background, is background;
    - ignored where no score reaches 1e-5, outside the image.

    Args:
        low: Scores with a low exponent of the background, background first, (1+n, H, W).
        high: Scores with a high exponent, (1+n, H, W).
        classes: Class index of each row after the first, (n,).
        stride: Pixels per cell, on each axis.

    Returns:
        Label map of 0..K and 255, uint8 (H/stride, W/stride).

    Raises:
        UserInputError: If H or W is not a multiple of ``stride``.
        ValueError: If shapes do not match.

    Source: Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
    Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.2; block means and the last rule are
    those of the published code. Differs: labels are class indices + 1, not positions in a list.
    """
    if low.shape != high.shape or len(low) != 1 + len(classes):
        raise ValueError(
            f'Expected `low` and `high` of shape ({1 + len(classes)}, H, W) for {len(classes)} '
            f'classes, got {low.shape} and {high.shape}.'
        )
    low, high = block_means(low, stride), block_means(high, stride)
    row_labels = np.concatenate([[BACKGROUND], to_seg_label(np.asarray(classes))])  # (1+n,)
    best = low.argmax(axis=0)
    label = np.where(best == 0, IGNORE_INDEX, row_labels[best])
    label = np.where(high.argmax(axis=0) == 0, BACKGROUND, label)
    outside = np.maximum(low.max(axis=0), high.max(axis=0)) < _NO_SCORE
    return np.where(outside, IGNORE_INDEX, label).astype(np.uint8)


def confident_label(foreground: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Merge a label map with trusted classes and one with trusted background.

    A class in ``foreground`` always wins. Where only ``background`` has a class, the label is
    ignored. Where neither has one, it is background.

    Args:
        foreground: Label map made with a high threshold, of 0..K and 255, any shape.
        background: Label map made with a low threshold, of the same shape.

    Returns:
        Label map, uint8.

    Source: Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel
    Relations", CVPR 2019, Sec. 3.3; the rule is that of the published code.
    """
    unsure = np.where(background != BACKGROUND, IGNORE_INDEX, BACKGROUND)
    return np.where(foreground != BACKGROUND, foreground, unsure).astype(np.uint8)


def grid_label(label: np.ndarray, stride: int) -> np.ndarray:
    """Take the label at the centre of every cell, (H, W) -> (H/stride, W/stride).

    The centre is the pixel ``(stride y + stride // 2, stride x + stride // 2)``.

    Raises:
        UserInputError: If H or W is not a multiple of ``stride``.
    """
    _check_multiple(label.shape, stride)
    return label[stride // 2 :: stride, stride // 2 :: stride]


def block_means(maps: np.ndarray, stride: int) -> np.ndarray:
    """Average blocks of ``stride x stride`` pixels: (C, H, W) -> float32 (C, H/stride, W/stride).

    Raises:
        UserInputError: If H or W is not a multiple of ``stride``.
    """
    channels, height, width = maps.shape
    _check_multiple((height, width), stride)
    blocks = maps.reshape(channels, height // stride, stride, width // stride, stride)
    return blocks.mean(axis=(2, 4), dtype=np.float32)


def _check_multiple(size: tuple[int, ...], stride: int) -> None:
    height, width = size
    if height % stride or width % stride:
        raise UserInputError(
            f'Expected height and width to be multiples of the stride {stride}, got {height}x'
            f'{width}. Choose a `crop_size` that is.'
        )
