import numpy as np
import pytest

from mmwsss.evaluation.boundary_fit import boundary_fit, label_borders


def striped(column):
    """An image that is dark to the left of a column and light from there."""
    image = np.full((40, 60, 3), 30, dtype=np.uint8)
    image[:, column:] = 220
    return image


def labelled(column):
    label = np.zeros((40, 60), dtype=np.uint8)
    label[:, column:] = 1
    return label


def test_both_sides_of_a_border_are_marked_but_not_beside_ignored_pixels():
    label = np.uint8([[0, 0, 1, 1], [0, 0, 255, 1], [0, 0, 0, 0]])
    expected = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    np.testing.assert_array_equal(label_borders(label), np.bool_(expected))


def test_a_border_on_the_only_edge_fits_and_one_elsewhere_does_not():
    image = striped(30)
    on, off = boundary_fit(labelled(30), image), boundary_fit(labelled(10), image)
    # Blur and tolerance widen the edge: half of its own pixels rank above the other half.
    assert on > 0.9
    # 0.5 for all pixels without an edge, minus half of those that have one.
    assert off < 0.5


def test_a_border_two_pixels_from_the_edge_still_fits():
    assert boundary_fit(labelled(32), striped(30)) > 0.9


def test_borders_at_random_have_a_half():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    label = rng.integers(0, 2, (200, 200), dtype=np.uint8)
    assert boundary_fit(label, image) == pytest.approx(0.5, abs=0.01)


def test_a_grey_image_says_nothing_for_or_against_and_without_a_border_there_is_no_fit():
    grey = np.full((40, 60, 3), 90, dtype=np.uint8)
    assert boundary_fit(labelled(30), grey) == 0.5
    assert np.isnan(boundary_fit(labelled(60), grey))
