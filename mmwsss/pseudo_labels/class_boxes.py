"""Boxes of an image on the pixel grid, and maps made from them.

Boxes are read from the device once and are slices from then on. No map of the image's size is made
for a box, so the cost of many boxes in a large image depends only on their pixels.

Legend: m boxes, n present classes, H x W pixels.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class ClassBox(NamedTuple):
    """A box on the pixel grid: rows ``top`` to ``bottom - 1``, columns ``left`` to ``right - 1``.

    Attributes:
        map_index: Index of its class among the present classes, 0..n-1.
        top: First row.
        bottom: Row after the last one.
        left: First column.
        right: Column after the last one.
    """

    map_index: int
    top: int
    bottom: int
    left: int
    right: int

    def of(self, maps: Tensor) -> Tensor:
        """View of the box in the map of its class, (n, H, W) -> (bottom - top, right - left)."""
        return maps[self.map_index, self.top : self.bottom, self.left : self.right]


def class_boxes(
    bboxes: Tensor, labels: Tensor, classes: Tensor, size: tuple[int, int]
) -> list[ClassBox]:
    """Put boxes of the present classes on the pixel grid, in annotation order.

    Sides are rounded and clamped to the image. A box with some area inside the image covers at
    least one pixel; any other box (outside the image, without area, inverted) is left out.

    Args:
        bboxes: xyxy in pixels of the image, far sides exclusive, (m, 4).
        labels: Class index of each box, (m,).
        classes: Class indices of the present classes, (n,).
        size: Size (H, W) of the image.

    Returns:
        The boxes.

    Source: Oh et al., CVPR 2021. Differs: the published code truncates normalised coordinates,
    which moves some sides by a pixel.
    """
    limit = torch.tensor((size[1], size[0]), dtype=torch.float32)
    limit = limit.to(bboxes.device, non_blocking=True)
    low = torch.minimum(bboxes[:, :2].float().clamp_min(0), limit)
    high = torch.minimum(bboxes[:, 2:].float().clamp_min(0), limit)
    first = torch.minimum(low.round(), limit - 1)
    end = torch.maximum(high.round(), first + 1)
    is_class = labels[:, None] == classes  # (m, n)
    valid = (high > low).all(dim=1) & is_class.any(dim=1)
    index = is_class.int().argmax(dim=1)[:, None] if len(classes) else first[:, :1]
    rows = torch.cat([valid[:, None], index, first, end], dim=1).int().tolist()
    return [ClassBox(i, y1, y2, x1, x2) for inside, i, x1, y1, x2, y2 in rows if inside]


def union_of_boxes(boxes: list[ClassBox], maps: Tensor) -> Tensor:
    """Pixels covered by any box of each class, bool (n, H, W) like ``maps``."""
    union = torch.zeros_like(maps, dtype=torch.bool)
    for box in boxes:
        box.of(union).fill_(True)
    return union


def normalize_in_boxes(cams: Tensor, boxes: list[ClassBox], *, eps: float = 1e-12) -> Tensor:
    """Divide the CAM of a class by its maximum in each box of the class; 0 outside its boxes.

    ``u_c(p) = cam_c(p) / (max over b of cam_c + eps)`` for p in a box b of class c. Where boxes of
    the same class overlap, the later one in annotation order decides.

    Args:
        cams: Class activation maps >= 0, (n, H, W).
        boxes: Boxes of the image.
        eps: Keeps a map without activation at 0.

    Returns:
        Normalised maps in [0, 1], (n, H, W).

    Source: Oh et al., CVPR 2021, Sec. 3.2; per box as in the published code, not per class.
    """
    normalized = torch.zeros_like(cams)
    for box in boxes:
        inside = box.of(cams)
        torch.div(inside, inside.amax() + eps, out=box.of(normalized))
    return normalized
