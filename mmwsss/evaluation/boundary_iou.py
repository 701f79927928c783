"""IoU of the bands along object borders, which is sensitive to shifts of a few pixels.

Legend: K foreground classes, H x W pixels.
"""

import cv2
import numpy as np

from mmwsss.structures import IGNORE_INDEX

_DILATION_RATIO = 0.02  # of the diagonal; the paper's for images of this size


def boundary_counts(label: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the pixels of the boundary IoU of every class.

    The boundary region of a class consists of its pixels within 2 % of the diagonal of its border
    or of the frame of the image. Its boundary IoU is the sum of the intersections over all images,
    divided by the sum of the unions.

    Args:
        label: Label map, uint8 (H, W).
        mask: True mask, uint8 (H, W). Its ignored pixels are left out of both maps.
        num_classes: Number 1+K of classes with background.

    Returns:
        Rows intersection and union, int64 (2, 1+K).

    Source: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation",
        CVPR 2021, eq. 2; distances are those of the published code, which erodes by 3 x 3 pixels.
        Differs: the paper does not leave out any pixels.
    """
    width = max(1, round(_DILATION_RATIO * float(np.hypot(*mask.shape))))
    label = np.where(mask == IGNORE_INDEX, IGNORE_INDEX, label)
    counts = np.zeros((2, num_classes), dtype=np.int64)
    pixels = [np.bincount(values.ravel(), minlength=num_classes) for values in (label, mask)]
    for value in np.flatnonzero(pixels[0][:num_classes] + pixels[1][:num_classes]):
        ours, true = (_boundary(values == value, width) for values in (label, mask))
        counts[:, value] = np.count_nonzero(ours & true), np.count_nonzero(ours | true)
    return counts


def _boundary(region: np.ndarray, width: int) -> np.ndarray:
    """Pixels of a region within `width` of its border, in the chessboard distance."""
    kernel = np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
    inner = cv2.erode(
        region.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return region & (inner == 0)
