"""Which classes the labels mistake for which others.

Legend: K foreground classes. Shares are of the pixels of a true class, (1+K, 2+K): rows are true
classes, columns labels, the last of which is ignored.
"""

import numpy as np

from mmwsss.engine.label_report.measures import percent
from mmwsss.engine.label_report.measuring import Measured
from mmwsss.engine.label_report.quality import share_text
from mmwsss.engine.label_report.source import ReportSource
from mmwsss.engine.label_report.tables import sortable_table
from mmwsss.visualization.report_page import Confusion, HeatCell, Table, css_color
from mmwsss.visualization.sheets import IGNORE_COLOR

_LISTED = 10  # mistakes
_MOST_CLASSES = 80  # that a matrix shows; beyond, it would be too large to read
_CHOSEN = 30  # classes of a matrix that cannot show all


def confusion(source: ReportSource, measured: Measured) -> Confusion | None:
    """Give the matrix of all classes that occur, and the largest mistakes; None without a mistake.

    Where more than 80 classes occur, the matrix has the 30 of the largest mistakes.
    """
    pixels = measured.sum_confusion.T
    true = pixels.sum(axis=1)
    shares = pixels / np.maximum(true, 1)[:, None]
    mistakes = _mistakes(shares)
    if not mistakes:
        return None
    occurring = np.flatnonzero(true + pixels[:, :-1].sum(axis=0)).tolist()
    ignored = len(true)
    note = (
        'Each row shows what the pixels of a true class are labelled as, in percent. Blue cells on '
        'the diagonal are right, red cells are mistakes. A stronger colour means a larger share.'
    )
    classes = occurring
    if len(occurring) > _MOST_CLASSES:
        classes = _classes_of(mistakes, ignored)
        note += f' Of {len(occurring)} classes, these have the largest mistakes.'
    labels = classes + [ignored] * bool(pixels[:, ignored].any())
    rest = len(classes) < len(occurring)
    names = (*source.classes, 'ignored')
    colors = [css_color(color) for color in (*source.palette, IGNORE_COLOR)]
    return Confusion(
        note=note,
        columns=[(names[label], colors[label]) for label in labels] + [('others', '')] * rest,
        rows=[
            (names[row], colors[row], _cells(shares[row], row, labels, names, rest=rest))
            for row in classes
            if true[row]
        ],
        largest=_largest(source, pixels, shares, mistakes[:_LISTED], names),
    )


def _mistakes(shares: np.ndarray) -> list[tuple[int, int]]:
    """List the pairs of true class and label that differ, the largest share first."""
    wrong = shares.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind='stable')[: np.count_nonzero(wrong)]
    return [divmod(int(flat), wrong.shape[1]) for flat in order]


def _classes_of(mistakes: list[tuple[int, int]], ignored: int) -> list[int]:
    """Choose the classes of the largest mistakes."""
    chosen: set[int] = set()
    for pair in mistakes:
        more = chosen | (set(pair) - {ignored})
        if len(more) > _CHOSEN:
            break
        chosen = more
    return sorted(chosen)


def _cells(
    shares: np.ndarray, row: int, labels: list[int], names: tuple[str, ...], *, rest: bool
) -> list[HeatCell]:
    cells = [
        _cell(shares[label], f'{names[row]} labelled as {names[label]}', is_right=label == row)
        for label in labels
    ]
    if rest:
        others = max(0.0, float(shares.sum() - shares[labels].sum()))
        cells.append(_cell(others, f'{names[row]} labelled as other classes', is_right=False))
    return cells


def _cell(share: float, meaning: str, *, is_right: bool) -> HeatCell:
    text = '<1' if 0 < share < 0.005 else f'{100 * share:.0f}'
    # Square roots, so that a mistake of a few percent is seen.
    heat = round(100 * float(share) ** 0.5)
    return HeatCell(text, f'{meaning}: {percent(share)}', heat, is_right)


def _largest(
    source: ReportSource,
    pixels: np.ndarray,
    shares: np.ndarray,
    pairs: list[tuple[int, int]],
    names: tuple[str, ...],
) -> Table:
    columns = [
        ('Truth → label', 'What pixels are, and what they are labelled as.'),
        ('Share', 'Of all pixels of the true class, how many are so labelled.'),
        ('Pixels', 'How many pixels, in thousands.'),
    ]
    return sortable_table(
        'Largest mistakes',
        'As a share of the true class.',
        columns,
        [f'{names[row]} → {names[label]}' for row, label in pairs],
        [source.palette[row] for row, _ in pairs],
        [
            (share_text, np.array([shares[pair] for pair in pairs])),
            (_thousands, np.array([pixels[pair] for pair in pairs])),
        ],
    )


def _thousands(value: float) -> str:
    return f'{value / 1000:,.1f} k'
