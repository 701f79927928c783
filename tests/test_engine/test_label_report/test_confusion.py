from dataclasses import fields

import numpy as np
import pytest

from mmwsss.datasets.palette import class_colors
from mmwsss.engine.label_report import LabelSet, ReportSource
from mmwsss.engine.label_report.confusion import confusion
from mmwsss.engine.label_report.measuring import Measured


def confused(pixels):
    """Confusion of classes named by their index; ``pixels``: label or ignored x true class."""
    empty = {field.name: np.zeros(0) for field in fields(Measured)}
    count = pixels.shape[1]
    names = tuple(map(str, range(count)))
    source = ReportSource(LabelSet('labels', ''), (), names, class_colors(count), ())
    return confusion(source, Measured(**{**empty, 'sum_confusion': pixels}))


def texts(found):
    return {name: [cell.text for cell in cells] for name, _, cells in found.rows}


def test_rows_are_true_classes_in_percent():
    found = confused(np.array([[999, 30, 0], [1, 60, 0], [0, 0, 0], [0, 10, 0]]))
    assert [name for name, _ in found.columns] == ['0', '1', 'ignored']  # 2 does not occur
    assert texts(found) == {'0': ['100', '<1', '0'], '1': ['30', '60', '10']}
    (_, _, cells) = found.rows[1]
    assert [cell.is_right for cell in cells] == [False, True, False]
    assert cells[0].meaning == '1 labelled as 0: 30.0%'
    assert [row[0][0] for row in found.largest.rows] == ['1 → 0', '1 → ignored', '0 → 1']


def test_labels_without_a_mistake_have_no_matrix():
    assert confused(np.diag([5, 5, 5, 5])[:, :3]) is None


@pytest.mark.parametrize(('count', 'shown'), [(80, 80), (81, 30)])
def test_of_many_classes_the_matrix_has_those_of_the_largest_mistakes(count, shown):
    pixels = np.vstack([np.eye(count, dtype=int) * 1000, np.zeros((1, count), dtype=int)])
    for true in range(1, count):  # the higher the class, the more of it is background
        pixels[0, true] = 10 * true
    found = confused(pixels)
    names = [name for name, _, _ in found.rows]
    assert len(names) == shown
    assert [name for name, _ in found.columns] == names + ['others'] * (count > 80)
    assert names[0] == '0' and names[1:] == [str(i) for i in range(count - shown + 1, count)]
    assert found.note.endswith('largest mistakes.') == (count > 80)
    assert len(found.largest.rows) == 10
