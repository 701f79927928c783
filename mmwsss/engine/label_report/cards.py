"""Chooses the images that a report shows and draws their pictures."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import numpy as np

from mmwsss.datasets.image_files import read_image
from mmwsss.engine.label_report.measures import Measure, percent
from mmwsss.engine.label_report.measuring import Measured
from mmwsss.engine.label_report.source import (
    ReportImage,
    ReportSource,
    read_labels_of,
    read_mask_of,
)
from mmwsss.engine.labels.pool import RefinePool
from mmwsss.engine.progress import Progress
from mmwsss.evaluation.suspicion import most_suspicious
from mmwsss.structures import BACKGROUND, IGNORE_INDEX, to_seg_label
from mmwsss.visualization.label_pictures import draw_contours, label_uri, photo_uri, scale_to
from mmwsss.visualization.report_page import Card, Picture, css_color
from mmwsss.visualization.sheets import IGNORE_COLOR

_LONGEST = 320  # pixels per side
_MAX_BYTES = 12_500_000  # of all pictures, so that the page can still be sent by mail


def lists_of(measures: Sequence[Measure], count: int) -> dict[str, list[int]]:
    """List the images of every measure, by index, in order."""
    return {measure.key: most_suspicious(measure.suspicion, count) for measure in measures}


def draw_cards(
    source: ReportSource,
    measured: Measured,
    measures: Sequence[Measure],
    lists: dict[str, list[int]],
    pool: RefinePool,
    logger: logging.Logger,
) -> list[Card]:
    """Draw the images of all lists, starting with the first of each, until the page is full."""
    chosen = _in_turn(lists)
    plain, jobs = replace(source, images=()), []
    for index in chosen:
        jobs.append(partial(draw_pictures, plain, source.images[index]))
    cards: list[Card] = []
    size = 0
    with Progress('drawing images of the report', len(chosen), logger) as progress:
        futures: list[Future] = [pool.submit(job) for job in jobs]
        for index, future in progress.iterate(zip(chosen, futures, strict=True)):
            pictures = future.result()
            size += sum(len(picture.uri) for picture in pictures)
            if size > _MAX_BYTES:
                for waiting in futures:
                    waiting.cancel()
                break
            cards.append(_card(source, measured, measures, lists, index, pictures))
    return cards


def draw_pictures(source: ReportSource, image: ReportImage) -> list[Picture]:
    """Draw an image's flat label maps, the judged one last, its contours, and the true mask."""
    pixels = read_image(image.path)
    shape = pixels.shape[:2]
    maps = read_labels_of(source, image, shape)
    mask = read_mask_of(source, image, shape)
    scaled, maps = scale_to(pixels, maps if mask is None else [*maps, mask], _LONGEST)
    *others, judged = maps[: len(source.others) + 1]
    drawn = [
        _flat('other', labels.name, label, source, image)
        for labels, label in zip(source.others, others, strict=True)
    ]
    drawn.append(_flat('judged', source.labels.name, judged, source, image))
    contours = photo_uri(draw_contours(scaled, judged, source.palette))
    alt = f'{image.img_id} with the contours of its labels: {_names(source, judged)}'
    drawn.append(Picture('contours', 'contours', contours, alt))
    if mask is not None:
        drawn.append(_flat('other', 'truth', maps[-1], source, image))
    return drawn


def _flat(
    kind: str, name: str, label: np.ndarray, source: ReportSource, image: ReportImage
) -> Picture:
    alt = f'Flat label map {name} of {image.img_id}: {_names(source, label)}'
    return Picture(kind, name, label_uri(label, source.palette), alt)


def _in_turn(lists: dict[str, list[int]]) -> list[int]:
    longest = max(map(len, lists.values()), default=0)
    turns = (own[place] for place in range(longest) for own in lists.values() if place < len(own))
    return list(dict.fromkeys(turns))


def _card(
    source: ReportSource,
    measured: Measured,
    measures: Sequence[Measure],
    lists: dict[str, list[int]],
    index: int,
    pictures: Sequence[Picture],
) -> Card:
    return Card(
        img_id=source.images[index].img_id,
        pictures=pictures,
        legend=_legend(source, measured, index),
        values=_values(measures, index),
        ranks={key: own.index(index) for key, own in lists.items() if index in own},
    )


def _values(measures: Sequence[Measure], index: int) -> list[tuple[str, str, str]]:
    """List the name of every value of an image, its text, and the keys of its measures."""
    found: dict[str, tuple[str, str]] = {}
    for measure in measures:
        value = float(measure.shown[index])
        if not np.isnan(value):
            _, keys = found.get(measure.name, ('', ''))
            found[measure.name] = measure.form(value), f'{keys} {measure.key}'.strip()
    return [(name, text, keys) for name, (text, keys) in found.items()]


def _legend(
    source: ReportSource, measured: Measured, index: int
) -> list[tuple[int, str, str, str, bool]]:
    """List the classes of an image: those with a tag and those that are labelled."""
    image, size = source.images[index], measured.sizes[index]
    pixels = measured.pixels[index]
    lines = []
    for own in sorted({*np.flatnonzero(pixels).tolist(), *(image.tags or ())}):
        text = percent(pixels[own] / size) if pixels[own] else '(tag, but no pixel)'
        foreign = image.tags is not None and own not in image.tags
        if foreign:
            text += ' (no tag)'
        value = to_seg_label(own)
        color = css_color(source.palette[value])
        lines.append((own, source.classes[value], color, text, foreign or not pixels[own]))
    if ignored := measured.ignored[index]:
        lines.append((-1, 'ignored', css_color(IGNORE_COLOR), percent(ignored / size), False))
    return lines


def _names(source: ReportSource, label: np.ndarray) -> str:
    values = np.setdiff1d(label, (BACKGROUND, IGNORE_INDEX))
    return ', '.join(source.classes[value] for value in values) or 'background only'
