"""Figures that several parts of a report show."""

import numpy as np

from mmwsss.engine.label_report.measures import percent
from mmwsss.engine.label_report.measuring import Measured
from mmwsss.engine.label_report.source import ReportSource
from mmwsss.evaluation.label_folder import LabelQuality, label_quality

UNKNOWN = '-'


def quality_of(source: ReportSource, measured: Measured, place: int = -1) -> LabelQuality:
    """Return the quality of a label set by its position; the judged one is the last."""
    masks = int((~np.isnan(measured.iou)).sum())
    counts = measured.sum_counts[place]
    return label_quality(counts, classes=source.classes, num_images=masks)


def boundary_iou(measured: Measured) -> np.ndarray:
    """Return the boundary IoU of every class, NaN for classes without such pixels, (1+K,)."""
    intersection, union = measured.sum_boundary.astype(float)
    return np.where(union > 0, intersection / np.maximum(union, 1), np.nan)


def share_text(value: float) -> str:
    """Write a share that may be unknown."""
    return UNKNOWN if np.isnan(value) else percent(value)
