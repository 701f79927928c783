"""Boxes used as class activation maps, a baseline that needs no network."""

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.classifiers.cam_classifier import annotations_to_original
from mmwsss.registry import MODELS
from mmwsss.structures import CAMSource


def filled_boxes(boxes: Tensor, labels: Tensor, classes: Tensor, size: tuple[int, int]) -> Tensor:
    """Give every pixel to the smallest box that covers it.

    Args:
        boxes: Boxes xyxy in pixels, (m, 4).
        labels: Class index of each box, (m,).
        classes: Class index of each map, (n,).
        size: Height and width (H, W).

    Returns:
        One map of 0 and 1 per class, (n, H, W).
    """
    height, width = size
    if len(boxes) == 0:
        return boxes.new_zeros((len(classes), height, width))
    rows = torch.arange(height, device=boxes.device)[None, :, None]
    columns = torch.arange(width, device=boxes.device)[None, None, :]
    x1, y1, x2, y2 = (side[:, None, None] for side in boxes.round().unbind(dim=1))
    inside = (columns >= x1) & (columns < x2) & (rows >= y1) & (rows < y2)  # (m, H, W)
    area = ((x2 - x1) * (y2 - y1)).expand_as(inside)
    smallest = area.masked_fill(~inside, torch.inf).argmin(dim=0)  # (H, W)
    winner = labels[smallest]
    return ((winner == classes[:, None, None]) & inside.any(dim=0)).to(boxes.dtype)


@MODELS.register_module()
class FilledBoxes(CAMSource):
    """Class activation maps that are 1 inside the boxes of a class and 0 elsewhere.

    Where boxes overlap, the smallest one wins. It is a model only in form, so that the baseline
    "filled boxes" of every box-supervised paper uses the same loop, refiners and evaluation.
    """

    requires = ('gt_instances',)

    def forward(
        self, inputs: Tensor, data_samples: list[SegDataSample], mode: str = 'predict'
    ) -> list[SegDataSample]:
        """Fill each sample with ``cams`` and ``cam_label``; there is nothing to train."""
        if mode != 'predict':
            raise ValueError(f"FilledBoxes has only mode 'predict', got {mode!r}.")
        for sample in data_samples:
            annotations_to_original(sample)
            boxes = sample.gt_instances
            sample.cam_label = sample.gt_label
            sample.cams = filled_boxes(
                boxes.bboxes, boxes.labels, sample.gt_label, sample.ori_shape
            )
        return data_samples
