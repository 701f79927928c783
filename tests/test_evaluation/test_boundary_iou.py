import numpy as np

from mmwsss.evaluation.boundary_iou import boundary_counts


def square(top, left, side, shape=(40, 30)):
    """One square of class 1; at 40 x 30 pixels the boundary is 0.02 * 50 = 1 pixel wide."""
    label = np.zeros(shape, dtype=np.uint8)
    label[top : top + side, left : left + side] = 1
    return label


def test_equal_maps_share_their_whole_boundary():
    counts = boundary_counts(square(10, 10, 6), square(10, 10, 6), 3)
    # The frame of the square: 6² - 4². Background: the frame of the image and a ring of the square.
    assert counts[:, 1].tolist() == [20, 20]
    ring, frame = 8 * 8 - 6 * 6, 40 * 30 - 38 * 28
    assert counts[:, 0].tolist() == [ring + frame, ring + frame]
    assert counts[:, 2].tolist() == [0, 0]


def test_a_shift_by_one_pixel_leaves_little_of_a_thin_boundary():
    counts = boundary_counts(square(10, 11, 6), square(10, 10, 6), 2)
    # Top and bottom rows share five pixels each; the columns of one lie inside the other or outside
    # of it.
    assert counts[:, 1].tolist() == [10, 30]


def test_what_is_ignored_in_the_mask_counts_for_neither():
    mask = square(10, 10, 6)
    mask[:, 13:] = 255
    counts = boundary_counts(square(10, 10, 9), mask, 2)
    # Columns 10..12 remain: rows 10..15 in the mask, with a boundary of 18 - 4 pixels, and rows
    # 10..18 in the label, with 27 - 7. They share the outer columns and the first row.
    shared = 2 * 6 + 1
    assert counts[:, 1].tolist() == [shared, 14 + 20 - shared]


def test_an_object_at_the_frame_has_its_boundary_there():
    counts = boundary_counts(square(0, 0, 5), square(0, 0, 5), 2)
    assert counts[:, 1].tolist() == [16, 16]
