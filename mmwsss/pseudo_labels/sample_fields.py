"""Fields of a data sample that parts of a pseudo label generator read."""

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.pseudo_labels.class_boxes import ClassBox, class_boxes
from mmwsss.structures import size_of, to_seg_label


def boxes_of(sample: SegDataSample, maps: Tensor) -> list[ClassBox]:
    """Boxes of the present classes on the pixel grid of ``maps`` (..., H, W)."""
    instances = sample.gt_instances
    return class_boxes(
        instances.bboxes.to(maps.device),
        instances.labels.to(maps.device),
        sample.cam_label.to(maps.device),
        size_of(maps),
    )


def known_background(sample: SegDataSample, maps: Tensor) -> Tensor:
    """Pixels outside all boxes, bool (H, W) on the device of ``maps``."""
    return sample.background_mask.data[0].to(maps.device) == 1


def label_weights(sample: SegDataSample) -> Tensor:
    """Classifier weights of background and the present classes, (1+n, C).

    If the classifier has no background class, its vector is zero.

    Raises:
        ValueError: If the weights match neither K nor 1+K classes.
    """
    weights = sample.class_weights.detach().float()
    num_classes = len(sample.pred_score)
    if len(weights) == num_classes:
        weights = torch.cat([torch.zeros_like(weights[:1]), weights])
    elif len(weights) != 1 + num_classes:
        raise ValueError(
            f'`class_weights` must have {num_classes} or {1 + num_classes} rows (`pred_score` has '
            f'{num_classes} classes), got {len(weights)}. Check what the classifier gives.'
        )
    rows = to_seg_label(sample.cam_label.to(weights.device))
    return torch.cat([weights[:1], weights[rows]])


def predicted_thresholds(sample: SegDataSample, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Threshold logits and log-temperatures of the classes of ``maps``, (n,) each.

    Predictions hold those of all K classes, but maps cover only the classes in ``cam_label``.
    """
    classes = sample.cam_label
    fields = sample.threshold_logit, sample.log_temperature
    threshold_logit, log_temperature = (
        values.detach()[classes.to(values.device)].to(maps.device, maps.dtype) for values in fields
    )
    return threshold_logit, log_temperature
