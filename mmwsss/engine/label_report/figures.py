"""The figures at the top of a report."""

import numpy as np

from mmwsss.engine.label_report.measures import percent
from mmwsss.engine.label_report.measuring import Measured
from mmwsss.engine.label_report.quality import boundary_iou, quality_of, share_text
from mmwsss.engine.label_report.source import ReportSource
from mmwsss.evaluation.suspicion import share_without_tag
from mmwsss.visualization.report_page import Figure


def figures(source: ReportSource, measured: Measured, tags: np.ndarray | None) -> list[Figure]:
    """List the figures at the top of the page."""
    return [
        *_of_coverage(measured),
        *([] if tags is None else _of_tags(measured, tags)),
        *_of_shape(measured),
        *(_of_others(source, measured) if source.others else []),
        *(_of_masks(source, measured) if source.has_masks else []),
    ]


def _of_coverage(measured: Measured) -> list[Figure]:
    total, objects = measured.sizes.sum(), measured.pixels.sum()
    with_object = int(measured.pixels.any(axis=1).sum())
    ignored = measured.ignored.sum() / total
    return [
        Figure('Images', f'{len(measured.sizes):,}', f'{with_object:,} have an object labelled'),
        Figure('Coverage', percent(objects / total), 'of all pixels are labelled as an object'),
        Figure('Ignored', percent(ignored), 'of all pixels are left undecided'),
    ]


def _of_tags(measured: Measured, tags: np.ndarray) -> list[Figure]:
    lacking = int(((tags == 1) & (measured.pixels == 0)).sum())
    known = int((tags == 1).sum())
    foreign = share_without_tag(measured.pixels, tags, measured.sizes) * measured.sizes
    share = np.nansum(foreign) / max(measured.pixels.sum(), 1)
    return [
        Figure('Tags without a pixel', f'{lacking:,}', f'of {known:,} tags: objects missed'),
        Figure('Pixels without a tag', percent(share), 'of the object pixels: wrong classes'),
    ]


def _of_shape(measured: Measured) -> list[Figure]:
    parts = measured.parts.sum() / max((measured.pixels > 0).sum(), 1)
    fit = measured.fit[~np.isnan(measured.fit)]
    return [
        Figure('Parts', f'{parts:.1f}', 'separate parts of a class in an image, on average'),
        Figure(
            'Borders on edges',
            share_text(float(np.median(fit)) if fit.size else np.nan),
            'strength of image edges along label borders; chance is 50%',
        ),
    ]


def _of_others(source: ReportSource, measured: Measured) -> list[Figure]:
    known = measured.disagreement[~np.isnan(measured.disagreement)]
    agreement = float(1 - known.mean()) if known.size else np.nan
    note = f'of the object pixels of an image match {source.others[-1].name}, on average'
    return [Figure('Agreement', share_text(agreement), note)]


def _of_masks(source: ReportSource, measured: Measured) -> list[Figure]:
    quality, count = quality_of(source, measured), int((~np.isnan(measured.iou)).sum())
    boundary = boundary_iou(measured)
    known = boundary[~np.isnan(boundary)]
    return [
        Figure(
            'Mean IoU',
            share_text(quality.metrics.get('mIoU', np.nan) / 100),
            f'of the classes, on {count:,} masks',
        ),
        Figure(
            'Boundary IoU',
            share_text(float(known.mean()) if known.size else np.nan),
            'the same, but only along object borders',
        ),
    ]
