"""Measures all images of a report in several processes, in chunks of images.

Legend: N images, K foreground classes, S other label sets.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np

from mmwsss.datasets.image_files import read_image
from mmwsss.engine.label_report.source import (
    ReportImage,
    ReportSource,
    read_labels_of,
    read_mask_of,
)
from mmwsss.engine.labels.pool import RefinePool
from mmwsss.engine.progress import Progress
from mmwsss.evaluation.boundary_fit import boundary_fit
from mmwsss.evaluation.boundary_iou import boundary_counts
from mmwsss.evaluation.label_folder import count_pairs, pixel_pairs
from mmwsss.evaluation.label_statistics import disagreement, image_iou, label_statistics

_CHUNK = 16
_NAN = float('nan')


@dataclass(frozen=True)
class Measured:
    """Results of measuring. Rows are images in order; sums cover all images with a mask.

    Attributes:
        sizes: Pixels of every image, (N,).
        background: Background pixels, (N,).
        ignored: Ignored pixels, (N,).
        pixels: Pixels of every class, (N, K).
        parts: Connected parts of every class, (N, K).
        largest: Pixels of the largest part of every class, (N, K).
        fit: Fit of label borders to image edges, (N,).
        disagreement: Share of the object pixels on which the last other set differs, (N,).
        iou: Mean IoU of every image with a true mask, else NaN, (N,).
        sum_counts: Counts of :func:`count_pairs` of the other sets and the judged one,
            (S+1, 4 + 2 * 3, 1+K).
        sum_confusion: Pixels by label (rows, the last one is ignored) and true class, (2+K, 1+K).
        sum_boundary: Counts of :func:`boundary_counts`, (2, 1+K).
    """

    sizes: np.ndarray
    background: np.ndarray
    ignored: np.ndarray
    pixels: np.ndarray
    parts: np.ndarray
    largest: np.ndarray
    fit: np.ndarray
    disagreement: np.ndarray
    iou: np.ndarray
    sum_counts: np.ndarray
    sum_confusion: np.ndarray
    sum_boundary: np.ndarray


def measure_images(source: ReportSource, pool: RefinePool, logger: logging.Logger) -> Measured:
    """Measure all images.

    Args:
        source: Subject of the report, with at least one image.
        pool: Pool in which the images are read.
        logger: Logger for the progress.

    Raises:
        UserInputError: A file of an image is missing, damaged or does not fit.
    """
    # The list of all images would travel with every job.
    plain = replace(source, images=())
    chunks = [source.images[i : i + _CHUNK] for i in range(0, len(source.images), _CHUNK)]
    title = f'measuring labels, {_CHUNK} images at a time'
    with Progress(title, len(chunks), logger) as progress:
        jobs = (partial(measure_chunk, plain, chunk) for chunk in chunks)
        futures: list[Future] = [pool.submit(job) for job in jobs]
        return _joined([future.result() for future in progress.iterate(futures)])


def measure_chunk(source: ReportSource, images: Sequence[ReportImage]) -> Measured:
    """Measure some images."""
    return _joined([_measure(source, image) for image in images])


def _measure(source: ReportSource, image: ReportImage) -> Measured:
    pixels = read_image(image.path)
    *others, label = read_labels_of(source, image, pixels.shape[:2])
    mask = read_mask_of(source, image, pixels.shape[:2])
    counted = label_statistics(label, source.num_classes)
    iou, sums = _compare(source, [*others, label], mask)
    return Measured(
        sizes=np.array([label.size]),
        background=np.array([counted.background]),
        ignored=np.array([counted.ignored]),
        pixels=counted.pixels[None],
        parts=counted.parts[None],
        largest=counted.largest[None],
        fit=np.array([boundary_fit(label, pixels)]),
        disagreement=np.array([disagreement(label, others[-1]) if others else _NAN]),
        iou=np.array([iou]),
        **sums,
    )


def _compare(
    source: ReportSource, labels: Sequence[np.ndarray], mask: np.ndarray | None
) -> tuple[float, dict[str, np.ndarray]]:
    """Compare label maps, the judged one last, with the true mask of their image."""
    classes = len(source.classes)
    counts = np.zeros((len(labels), 10, classes), dtype=np.int64)
    if mask is None:
        confusion = np.zeros((classes + 1, classes), dtype=np.int64)
        return _NAN, dict(
            sum_counts=counts,
            sum_confusion=confusion,
            sum_boundary=np.zeros((2, classes), dtype=np.int64),
        )
    for row, label in zip(counts, labels, strict=True):
        pairs = pixel_pairs(label, mask)
        row[:] = count_pairs(pairs, classes)
    # These are the judged labels, the last ones in the loop.
    return image_iou(pairs), dict(
        sum_counts=counts,
        sum_confusion=np.vstack([pairs[:classes, :classes], pairs[-1:, :classes]]),
        sum_boundary=boundary_counts(labels[-1], mask, classes),
    )


def _joined(parts: Sequence[Measured]) -> Measured:
    values = {}
    for field in fields(Measured):
        arrays = [getattr(part, field.name) for part in parts]
        is_sum = field.name.startswith('sum_')
        values[field.name] = np.sum(arrays, axis=0) if is_sum else np.concatenate(arrays)
    return Measured(**values)
