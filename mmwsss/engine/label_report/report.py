"""Measures a label set and writes the report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import MMLogger

from mmwsss.engine.label_report.cards import draw_cards, lists_of
from mmwsss.engine.label_report.confusion import confusion
from mmwsss.engine.label_report.figures import figures
from mmwsss.engine.label_report.measures import Measure, all_measures
from mmwsss.engine.label_report.measuring import Measured, measure_images
from mmwsss.engine.label_report.source import ReportSource
from mmwsss.engine.label_report.stamp import stamp_of
from mmwsss.engine.label_report.tables import tables
from mmwsss.engine.labels.pool import RefinePool
from mmwsss.evaluation.label_statistics import tag_table
from mmwsss.structures import UserInputError
from mmwsss.structures.atomic_files import write_atomically
from mmwsss.visualization.report_page import Card, Reason, ReportPage, histogram, render_page

_LISTED = 40
_FEW = 200  # images; with fewer, starting other processes takes longer than they save


def write_label_report(source: ReportSource, path: Path, *, num_workers: int) -> Path:
    """Write the report on a label set as one HTML file.

    Args:
        source: What the report is about.
        path: The HTML file; its folder is created if needed.
        num_workers: Number of processes if there are many images.

    Returns:
        The path.

    Raises:
        UserInputError: If there are no images, or a file is missing, damaged or of the wrong size.
    """
    if not source.images:
        raise UserInputError(f'{source.labels.folder} has no label map to report on.')
    logger = MMLogger.get_current_instance()
    stamp = stamp_of(source)  # of the files as they are before they are read
    workers = num_workers if len(source.images) > _FEW else 0
    with RefinePool(workers) as pool:
        measured = measure_images(source, pool, logger)
        tags = tag_table([image.tags for image in source.images], source.num_classes)
        measures = all_measures(source, measured, tags)
        lists = lists_of(measures, _LISTED)
        cards = draw_cards(source, measured, measures, lists, pool, logger)
    page = _page(source, stamp, measured, tags, measures, lists, cards)
    write_atomically(path, render_page(page).encode())
    return path


def _page(
    source: ReportSource,
    stamp: str,
    measured: Measured,
    tags: np.ndarray | None,
    measures: Sequence[Measure],
    lists: dict[str, list[int]],
    cards: list[Card],
) -> ReportPage:
    chosen = len({index for own in lists.values() for index in own})
    note = f'Each list has at most {_LISTED} images.'
    if len(cards) < chosen:
        note += f' {chosen - len(cards)} of them have no picture, to keep this file small.'
    drawn = {card.img_id for card in cards}
    return ReportPage(
        title=source.labels.name,
        folder=source.labels.folder,
        stamp=stamp,
        figures=figures(source, measured, tags),
        tables=tables(source, measured, tags),
        confusion=confusion(source, measured),
        reasons=[_reason(source, measure, lists[measure.key], drawn) for measure in measures],
        cards=cards,
        classes=list(enumerate(source.classes[1:])),
        note=note,
    )


def _reason(source: ReportSource, measure: Measure, indices: list[int], drawn: set[str]) -> Reason:
    known = measure.shown[~np.isnan(measure.shown)]
    ids = [source.images[index].img_id for index in indices]
    return Reason(
        key=measure.key,
        title=measure.title,
        sentence=measure.sentence,
        ids=[img_id for img_id in ids if img_id in drawn],
        bars=histogram(measure.shown),
        ends=(measure.form(float(known.min())), measure.form(float(known.max()))),
    )
