"""The HTML page of a label report, which needs neither network nor other files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

_BINS = 24


@dataclass(frozen=True)
class Figure:
    """A number at the top of the page: its title, value and meaning."""

    title: str
    value: str
    note: str


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by its columns.

    Attributes:
        title: Heading.
        note: One or two sentences below it.
        columns: Heading of every column and its meaning.
        rows: Cells, each a text and the value to sort by (None sorts last).
        colors: CSS colour of the first cell of every row, or ''.
    """

    title: str
    note: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[tuple[str, Any]]]
    colors: Sequence[str]


class HeatCell(NamedTuple):
    """A cell of a matrix: its text, its meaning, and strength (0..100) and hue of its colour."""

    text: str
    meaning: str
    heat: int
    is_right: bool


@dataclass(frozen=True)
class Confusion:
    """Classes against each other.

    Attributes:
        note: One or two sentences about the matrix.
        columns: Name and CSS colour, or '', of every column.
        rows: Name and CSS colour of every row, and its cells.
        largest: The largest mistakes.
    """

    note: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, str, Sequence[HeatCell]]]
    largest: Table


@dataclass(frozen=True)
class Picture:
    """A picture of an image.

    Attributes:
        kind: ``'contours'``, ``'judged'`` for the flat map of the judged labels, or ``'other'``.
        title: Text below it.
        uri: Data URI with its content.
        alt: Text for readers who cannot see it.
    """

    kind: str
    title: str
    uri: str
    alt: str


@dataclass(frozen=True)
class Card:
    """One image.

    Attributes:
        img_id: Its id.
        pictures: Its pictures.
        legend: Index, name, CSS colour and text of each class, and whether something is wrong.
        values: Name of every value, its text, and the keys of its measures.
        ranks: Position in the list of every measure that has the image, from 0.
    """

    img_id: str
    pictures: Sequence[Picture]
    legend: Sequence[tuple[int, str, str, str, bool]]
    values: Sequence[tuple[str, str, str]]
    ranks: Mapping[str, int]


@dataclass(frozen=True)
class Reason:
    """A list of images.

    Attributes:
        key: Short name of the measure.
        title: Its title.
        sentence: Its meaning.
        ids: The images in order.
        bars: Heights of the histogram over all images, from 0 to 1.
        ends: Lowest and highest value of the histogram.
    """

    key: str
    title: str
    sentence: str
    ids: Sequence[str]
    bars: Sequence[float]
    ends: tuple[str, str]


@dataclass(frozen=True)
class ReportPage:
    """Content of a page.

    Attributes:
        title: Name of the judged labels.
        folder: Their folder.
        stamp: Fingerprint of what the page shows.
        figures: Numbers at the top.
        tables: Tables below.
        confusion: Classes that the labels confuse, or None if unknown.
        reasons: Lists of images.
        cards: Images, each in at least one of the lists.
        classes: Index and name of the classes to filter by.
        note: What the lists omit, or ''.
    """

    title: str
    folder: str
    stamp: str
    figures: Sequence[Figure]
    tables: Sequence[Table]
    confusion: Confusion | None
    reasons: Sequence[Reason]
    cards: Sequence[Card]
    classes: Sequence[tuple[int, str]]
    note: str

    @property
    def most_pictures(self) -> int:
        """Largest number of pictures of any image."""
        return max((len(card.pictures) for card in self.cards), default=0)


def histogram(values: np.ndarray) -> list[float]:
    """Heights of the bars of a histogram, from 0 to 1; NaN is left out."""
    known = values[~np.isnan(values)]
    if not known.size:
        return []
    counts, _ = np.histogram(known, bins=_BINS)
    # Square roots, so that the few images at the end of a long tail are visible.
    return [round(float(height), 3) for height in np.sqrt(counts / counts.max())]


def css_color(color: Sequence[int]) -> str:
    """Write an RGB colour for the page."""
    return '#' + ''.join(f'{int(channel):02x}' for channel in color)


def page_templates() -> Environment:
    """Give the templates of pages, which escape all user text."""
    return Environment(
        loader=PackageLoader('mmwsss.visualization'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(page: ReportPage) -> str:
    """Render the page of a label report as HTML."""
    return page_templates().get_template('label_report.html').render(page=page)
