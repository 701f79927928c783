import torch

from mmwsss.structures import (
    multi_hot,
    seg_map_from_scores,
    to_class_index,
    to_seg_label,
)


def test_class_zero_is_label_one_and_back():
    assert to_seg_label(0) == 1
    assert to_class_index(to_seg_label(torch.tensor([0, 19]))).tolist() == [0, 19]


def test_multi_hot_marks_present_classes():
    assert multi_hot(torch.tensor([0, 2]), 4).tolist() == [1, 0, 1, 0]


def test_label_map_names_the_class_of_the_best_row():
    scores = torch.tensor([[[0.5, 0.1, 0.1]], [[0.2, 0.8, 0.3]], [[0.3, 0.1, 0.6]]])
    label = seg_map_from_scores(scores, torch.tensor([3, 7]))
    assert label.dtype == torch.uint8
    assert label.tolist() == [[0, 4, 8]]


def test_ties_go_to_the_background():
    assert seg_map_from_scores(torch.ones(2, 1, 1), torch.tensor([5])).item() == 0


def test_an_image_without_classes_is_all_background():
    label = seg_map_from_scores(torch.zeros(1, 2, 2), torch.tensor([], dtype=torch.long))
    assert label.tolist() == [[0, 0], [0, 0]]
