"""The tables of a report, over all images."""

from collections.abc import Callable, Sequence

import numpy as np

from mmwsss.engine.label_report.measuring import Measured
from mmwsss.engine.label_report.quality import boundary_iou, quality_of, share_text
from mmwsss.engine.label_report.source import ReportSource
from mmwsss.visualization.report_page import Table, css_color

_SIZES = {'small': '≤ 32²', 'medium': '≤ 96²', 'large': '> 96²'}


def tables(source: ReportSource, measured: Measured, tags: np.ndarray | None) -> list[Table]:
    """List the tables of the page."""
    found = [_class_table(source, measured, tags)]
    if source.has_masks:
        found += [_quality_table(source, measured)]
        found += [_stage_table(source, measured)] if source.others else []
    return found


def _class_table(source: ReportSource, measured: Measured, tags: np.ndarray | None) -> Table:
    present = measured.pixels > 0
    shares = np.where(present, measured.pixels / measured.sizes[:, None], np.nan)
    largest = np.where(present, measured.largest / np.maximum(measured.pixels, 1), np.nan)
    objects = max(int(measured.pixels.sum()), 1)
    columns = [('Class', 'The foreground classes.')]
    values: list[tuple[Callable[[float], str], np.ndarray]] = []
    if tags is not None:
        tagged = (tags == 1).sum(axis=0)
        columns += [
            ('Images with the tag', 'Images whose weak label names the class.'),
            ('Tags without a pixel', 'Images with the tag, but no pixel of the class.'),
            ('Images without the tag', 'Images with pixels of the class, but without its tag.'),
            ('Share of the tags', 'Of all tags, how many are of the class.'),
        ]
        values += [
            (_count, tagged),
            (_count, ((tags == 1) & ~present).sum(axis=0)),
            (_count, ((tags == 0) & present).sum(axis=0)),
            (share_text, tagged / max(tagged.sum(), 1)),
        ]
    columns += [
        ('Share of the pixels', 'Of all pixels labelled as an object, how many are of the class.'),
        ('Images with pixels', 'Images in which a pixel is labelled as the class.'),
        ('Usual size', 'Median share of an image in which the class occurs.'),
        ('Parts', 'Separate parts per image in which the class occurs.'),
        ('In the largest part', "Median share of the class's pixels in its largest part."),
    ]
    values += [
        (share_text, measured.pixels.sum(axis=0) / objects),
        (_count, present.sum(axis=0)),
        (share_text, _columns(np.nanmedian, shares)),
        (_number, measured.parts.sum(axis=0) / np.where(present.any(axis=0), present.sum(0), 1)),
        (share_text, _columns(np.nanmedian, largest)),
    ]
    return sortable_table(
        'Classes',
        'How often each class is named by tags and how much of it is labelled. Select a heading '
        'to sort.',
        columns,
        source.classes[1:],
        source.palette[1:],
        values,
    )


def _quality_table(source: ReportSource, measured: Measured) -> Table:
    quality = quality_of(source, measured)
    columns = [
        ('Class', 'Background and the foreground classes.'),
        ('IoU', 'Pixels in both labels and masks, divided by those in either.'),
        ('Precision', 'Share of the labelled pixels that are right.'),
        ('Recall', 'Share of the true pixels that are found.'),
        ('Boundary IoU', 'IoU within 2% of the diagonal along the borders of objects.'),
    ]
    values = [
        (share_text, quality.iou / 100),
        (share_text, quality.precision / 100),
        (share_text, quality.recall / 100),
        (share_text, boundary_iou(measured)),
    ]
    for name, limits in _SIZES.items():
        meaning = f'IoU in the images in which the class has {limits} true pixels.'
        columns.append((f'IoU, {name}', meaning))
        values.append((share_text, quality.class_size_iou[name] / 100))
    return sortable_table(
        'Against the true masks',
        'Small, medium and large: the class covers up to 32² = 1024, up to 96² = 9216 or more '
        'true pixels of the image.',
        columns,
        source.classes,
        source.palette,
        values,
    )


def _stage_table(source: ReportSource, measured: Measured) -> Table:
    qualities = [quality_of(source, measured, i) for i in range(len(measured.sum_counts))]
    names = {
        'mIoU': 'Mean IoU',
        'precision': 'Precision',
        'recall': 'Recall',
        **{f'mIoU_{size}': f'IoU, {size}' for size in _SIZES},
    }
    columns = [('Labels', 'The label sets, in order.')]
    columns += [(title, f'{title}, mean over the classes.') for title in names.values()]
    values = [
        (share_text, np.array([quality.metrics.get(key, np.nan) for quality in qualities]) / 100)
        for key in names
    ]
    sets = [labels.name for labels in (*source.others, source.labels)]
    note = 'All label sets against the true masks. The rest of this report is on the last one.'
    return sortable_table('Label sets', note, columns, sets, [], values)


def sortable_table(
    title: str,
    note: str,
    columns: list[tuple[str, str]],
    names: Sequence[str],
    palette: Sequence[Sequence[int]],
    values: Sequence[tuple[Callable[[float], str], np.ndarray]],
) -> Table:
    """Put a name and its values into each row.

    Args:
        title: Heading.
        note: One or two sentences below it.
        columns: Heading of every column, that of the names first, and what it means.
        names: First cell of every row.
        palette: RGB colour of every row, or nothing.
        values: Of every further column: what turns a value into text, and the values.
    """
    colors = [css_color(color) for color in palette] or [''] * len(names)
    rows = []
    for index, name in enumerate(names):
        cells = [(form(float(column[index])), _sortable(column[index])) for form, column in values]
        rows.append([(name, name), *cells])
    return Table(title, note, columns, rows, colors)


def _columns(function: Callable[..., np.ndarray], values: np.ndarray) -> np.ndarray:
    """Reduce the columns that have a value; the others are NaN."""
    found = np.full(values.shape[1], np.nan)
    known = ~np.isnan(values).all(axis=0)
    if known.any():
        found[known] = function(values[:, known], axis=0)
    return found


def _sortable(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _count(value: float) -> str:
    return f'{value:,.0f}'


def _number(value: float) -> str:
    return f'{value:.1f}'
