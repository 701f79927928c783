import pytest
import torch
from reference import pseudo_labels as reference
from torch.testing import assert_close

from mmwsss.pseudo_labels.class_boxes import class_boxes, normalize_in_boxes, union_of_boxes

SIZE = (4, 6)


def boxes_on_grid(boxes, labels=None, classes=(0,), size=SIZE):
    labels = [0] * len(boxes) if labels is None else labels
    return class_boxes(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.long),
        torch.tensor(classes),
        size,
    )


def covered(box, size=SIZE):
    """(x1, y1, x2, y2) of the pixels that a single box covers, or None."""
    union = union_of_boxes(boxes_on_grid([box], size=size), torch.zeros(1, *size))
    ys, xs = union[0].nonzero(as_tuple=True)
    if len(xs) == 0:
        return None
    return xs.min().item(), ys.min().item(), xs.max().item() + 1, ys.max().item() + 1


@pytest.mark.parametrize(
    ('box', 'expected'),
    [
        ((1, 1, 4, 3), (1, 1, 4, 3)),
        ((0.6, 0.4, 3.6, 2.6), (1, 0, 4, 3)),  # rounded, not truncated
        ((-5, -5, 99, 99), (0, 0, 6, 4)),  # clamped to the image
        ((-5, 1, 2, 3), (0, 1, 2, 3)),  # no wrap-around of negative coordinates
        ((2.1, 2.1, 2.3, 2.3), (2, 2, 3, 3)),  # at least one pixel
        ((5.8, 3.8, 6, 4), (5, 3, 6, 4)),  # also in the far corner
        ((2, 1, 2, 3), None),  # no width
        ((4, 1, 2, 3), None),  # inverted
        ((6, 0, 9, 4), None),  # beyond the image
        ((-9, 0, -3, 4), None),
    ],
)
def test_box_covers_the_expected_pixels(box, expected):
    assert covered(box) == expected


def test_one_pixel_image_is_covered_by_any_box_in_it():
    assert covered((0.1, 0.2, 0.3, 0.4), size=(1, 1)) == (0, 0, 1, 1)


def test_union_joins_the_boxes_of_a_class_and_keeps_classes_apart():
    boxes = boxes_on_grid([(0, 0, 2, 2), (4, 0, 6, 1), (0, 3, 6, 4)], [7, 7, 3], classes=(3, 7))
    union = union_of_boxes(boxes, torch.zeros(2, *SIZE))
    expected = reference.union([(0, 0, 2, 2), (4, 0, 6, 1), (0, 3, 6, 4)], [7, 7, 3], [3, 7], SIZE)
    assert union.tolist() == expected.tolist()


def test_cam_is_divided_by_its_maximum_in_each_box():
    cams = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    boxes = boxes_on_grid([(0, 0, 2, 1), (2, 0, 3, 1)], size=(1, 4))
    assert_close(normalize_in_boxes(cams, boxes), torch.tensor([[[0.5, 1.0, 1.0, 0.0]]]))


@pytest.mark.parametrize(
    ('order', 'expected'), [((0, 1), [0.25, 0.5, 1.0, 1.0]), ((1, 0), [0.25, 0.5, 0.75, 1.0])]
)
def test_later_box_decides_where_boxes_of_a_class_overlap(order, expected):
    cams = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    both = [(0, 0, 4, 1), (2, 0, 3, 1)]
    boxes = boxes_on_grid([both[i] for i in order], size=(1, 4))
    assert_close(normalize_in_boxes(cams, boxes), torch.tensor([[expected]]))


def test_boxes_of_other_classes_do_not_overwrite():
    cams = torch.tensor([[[1.0, 2.0]], [[4.0, 1.0]]])
    boxes = boxes_on_grid([(0, 0, 2, 1), (0, 0, 1, 1)], [5, 9], classes=(5, 9), size=(1, 2))
    assert_close(normalize_in_boxes(cams, boxes), torch.tensor([[[0.5, 1.0]], [[1.0, 0.0]]]))


def test_many_random_boxes_agree_with_the_loop(rng):
    size, classes = (13, 17), [1, 4, 6]
    low = torch.randint(0, 12, (30, 2), generator=rng)
    boxes = torch.cat([low, low + torch.randint(-1, 9, (30, 2), generator=rng)], dim=1)
    boxes = torch.minimum(boxes, torch.tensor([17, 13, 17, 13])).tolist()
    labels = torch.randint(0, 8, (30,), generator=rng).tolist()  # some are not present
    cams = torch.rand(3, *size, generator=rng)
    result = normalize_in_boxes(cams, boxes_on_grid(boxes, labels, classes, size))
    assert_close(result, reference.box_normalized(cams, boxes, labels, classes))


def test_map_without_activation_stays_zero():
    assert not normalize_in_boxes(torch.zeros(1, *SIZE), boxes_on_grid([(0, 0, 3, 3)])).any()


def test_empty_boxes_and_no_boxes_give_zero_maps():
    cams = torch.ones(1, *SIZE)
    assert not normalize_in_boxes(cams, boxes_on_grid([(3, 1, 3, 2)])).any()
    assert not normalize_in_boxes(cams, boxes_on_grid([])).any()
    assert not union_of_boxes(boxes_on_grid([]), cams).any()
    assert boxes_on_grid([(0, 0, 3, 3)], classes=()) == []
