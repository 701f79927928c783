import numpy as np

from mmwsss.evaluation.suspicion import (
    most_suspicious,
    share_without_tag,
    tags_without_pixel,
    unusual_share,
)

NAN = np.nan
PIXELS = np.array([[10, 0], [0, 0], [5, 5]])
TAGS = np.array([[1, 1], [0, 0], [NAN, NAN]])


def test_tags_without_a_pixel_are_counted_where_tags_are_known():
    np.testing.assert_array_equal(tags_without_pixel(PIXELS, TAGS), [1, 0, NAN])


def test_pixels_without_a_tag_are_a_share_of_the_image():
    tags = np.array([[0, 1], [0, 0], [NAN, NAN]])
    shares = share_without_tag(PIXELS, tags, np.array([100, 100, 100]))
    np.testing.assert_array_equal(shares, [0.1, 0, NAN])


def test_a_share_is_compared_with_the_median_of_its_class():
    pixels = np.array([[8, 0], [4, 1], [1, 1], [0, 0]])
    far = unusual_share(pixels, np.array([16, 16, 16, 16]))
    # The median of the first class is 4 of 16 pixels.
    np.testing.assert_allclose(far, [1, 0, 2, NAN])


def test_the_highest_values_above_zero_come_first():
    values = np.array([0.2, NAN, 0.9, 0.0, 0.2, -1.0])
    assert most_suspicious(values, 10) == [2, 0, 4]
    assert most_suspicious(values, 1) == [2]
