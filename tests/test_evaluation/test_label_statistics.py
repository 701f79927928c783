import numpy as np
import pytest

from mmwsss.evaluation.label_folder import pixel_pairs
from mmwsss.evaluation.label_statistics import (
    disagreement,
    image_iou,
    label_statistics,
    tag_table,
)

LABEL = np.uint8(
    [
        [1, 1, 0, 0, 1],
        [1, 0, 0, 0, 0],
        [0, 0, 2, 255, 0],
        [0, 0, 0, 2, 0],
    ]
)


def test_pixels_and_parts_are_counted_by_class():
    counted = label_statistics(LABEL, 3)
    assert (counted.background, counted.ignored) == (13, 1)
    assert counted.pixels.tolist() == [4, 2, 0]
    # The pixels of the second class touch at a corner.
    assert counted.parts.tolist() == [2, 1, 0]
    assert counted.largest.tolist() == [3, 2, 0]


def test_a_map_without_an_object_has_no_part():
    counted = label_statistics(np.full((2, 3), 255, np.uint8), 2)
    assert (counted.background, counted.ignored) == (0, 6)
    assert not counted.pixels.any() and not counted.parts.any() and not counted.largest.any()


def test_maps_are_compared_where_one_of_them_has_an_object():
    first, second = np.uint8([[0, 0, 1, 1, 255]]), np.uint8([[0, 2, 1, 0, 255]])
    assert disagreement(first, second) == 2 / 4
    assert np.isnan(disagreement(first * 0, second * 0))


def test_the_iou_of_an_image_is_the_mean_over_its_classes():
    label, mask = np.uint8([[0, 0, 1, 255, 2]]), np.uint8([[0, 1, 1, 1, 255]])
    # Background: 1 of 2, class 1: 1 of 3; the last pixel is left out.
    assert image_iou(pixel_pairs(label, mask)) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert np.isnan(image_iou(pixel_pairs(label, np.full_like(mask, 255))))


def test_tags_become_a_table():
    table = tag_table([(0, 2), (), None], 3)
    np.testing.assert_array_equal(table, [[1, 0, 1], [0, 0, 0], [np.nan] * 3])
    assert tag_table([None, None], 3) is None
