"""Boxes of an image as row and column intervals, and maps made from them.

A box is the product of an interval of rows and one of columns. Boxes are kept in that form; no map
a box is made where a matrix product of intervals does.

Legend: m boxes, n present classes, H x W pixels.
"""

from typing import NamedTuple

import torch
from torch import Tensor

# Pixels of box maps held at a time.
_PIXELS_PER_CHUNK = 1 << 21


class ClassBoxes(NamedTuple):
    """Boxes on the pixel grid, in annotation order.

    Attributes:
        rows: Whether a box covers a row, bool (m, H).
        cols: Whether a box covers a column, bool (m, W).
        of_class: Whether a box belongs to a present class, bool (m, n).
    """

    rows: Tensor
    cols: Tensor
    of_class: Tensor


def class_boxes(
    bboxes: Tensor, labels: Tensor, classes: Tensor, size: tuple[int, int]
) -> ClassBoxes:
    """Put boxes on the pixel grid.

    Sides are rounded and clamped to the image; a box that keeps some area in the image covers at
    least one pixel, and any other box (outside the image, without area, inverted) covers none.

    Args:
        bboxes: xyxy in pixels of the image, the far side exclusive, (m, 4).
        labels: Class index of each box, (m,).
        classes: Class indices of the present classes, (n,).
        size: Size (H, W) of the image.

    Returns:
        The boxes.

    Source: Oh et al., CVPR 2021, whose published code gets its boxes from normalised coordinates by
    truncation, by which some sides move by a pixel.
    """
    x1, y1, x2, y2 = bboxes.float().unbind(dim=1)
    rows, valid_rows = _covered(y1, y2, size[0])
    cols, valid_cols = _covered(x1, x2, size[1])
    valid = valid_rows & valid_cols
    of_class = (labels[:, None] == classes) & valid[:, None]
    return ClassBoxes(rows, cols, of_class)


def _covered(low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Positions (m, size) covered by intervals, and which intervals (m,) lie within the axis."""
    low, high = low.clamp(0, size), high.clamp(0, size)
    first = low.round().clamp_max(size - 1)
    end = torch.maximum(high.round(), first + 1)
    positions = torch.arange(size, device=low.device)
    return (positions >= first[:, None]) & (positions < end[:, None]), high > low


def union_of_boxes(boxes: ClassBoxes) -> Tensor:
    """Pixels covered by any box of each class, bool (n, H, W)."""
    rows = boxes.of_class.mT[:, None, :] & boxes.rows.mT  # (n, H, m)
    return rows.float() @ boxes.cols.float() > 0


def normalize_in_boxes(cams: Tensor, boxes: ClassBoxes, *, eps: float = 1e-12) -> Tensor:
    """Divide the CAM of a class by its maximum in each box of the class; 0 outside its boxes.

    ``u_c(p) = cam_c(p) / (max over b of cam_c + eps)`` for p in a box b of class c. Where boxes of
    one class overlap, the later one in annotation order decides.

    Args:
        cams: Class activation maps >= 0, (n, H, W).
        boxes: Boxes of the image.
        eps: Keeps a map without activation at 0.

    Returns:
        Normalised maps in [0, 1], (n, H, W).

    Source: Oh et al., CVPR 2021, Sec. 3.2; per box as in the published code, not per class.
    """
    if cams.numel() == 0 or len(boxes.rows) == 0:
        return torch.zeros_like(cams)
    row_of_box = boxes.of_class.int().argmax(dim=1)  # (m,)
    present = boxes.of_class.any(dim=1)
    order = torch.arange(1, len(present) + 1, device=cams.device) * present
    winner = torch.zeros_like(cams, dtype=torch.long)  # 1 + number of the deciding box, 0 if none
    peaks = [cams.new_ones(1)]
    chunk = max(_PIXELS_PER_CHUNK // cams[0].numel(), 1)
    for part in torch.arange(len(present), device=cams.device).split(chunk):
        inside = boxes.rows[part, :, None] & boxes.cols[part, None, :]  # (chunk, H, W)
        peaks.append(torch.where(inside, cams[row_of_box[part]], 0).amax(dim=(1, 2)))
        target = row_of_box[part, None, None].expand_as(inside)
        winner.scatter_reduce_(0, target, inside * order[part, None, None], 'amax')
    normalized = cams / (torch.cat(peaks)[winner] + eps)
    return torch.where(winner > 0, normalized, 0)
