import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample
from reference import pseudo_labels as reference
from torch.testing import assert_close

from mmwsss.pseudo_labels import (
    ArgmaxLabeler,
    AttentionBackground,
    BoxConstraint,
    BoxNormalize,
    ConstantBackground,
    MaxNormalize,
    MinMaxNormalize,
    PowerBackground,
    RetrievalRefiner,
    SoftmaxInBoxes,
)
from mmwsss.registry import TASK_UTILS

IMAGE = np.zeros((20, 24, 3), np.uint8)


@pytest.mark.parametrize(
    'config',
    [
        dict(type='MaxNormalize'),
        dict(type='MinMaxNormalize'),
        dict(type='BoxNormalize'),
        dict(type='ConstantBackground', threshold=0.2),
        dict(type='PowerBackground', alpha=4),
        dict(type='AttentionBackground'),
        dict(type='SoftmaxInBoxes'),
        dict(type='BoxConstraint'),
        dict(type='RetrievalRefiner'),
        dict(type='ArgmaxLabeler'),
    ],
)
def test_part_is_built_from_its_plain_name(config):
    assert type(TASK_UTILS.build(config)).__name__ == config['type']


def test_max_normalize_divides_by_the_maximum_and_keeps_an_empty_map_at_zero():
    cams = torch.tensor([[[1.0, 4.0]], [[0.0, 0.0]]])
    expected = torch.tensor([[[0.25, 1.0]], [[0.0, 0.0]]])
    assert_close(MaxNormalize().normalize(cams, SegDataSample()), expected, atol=1e-5, rtol=0)


def test_min_max_normalize_begins_at_the_minimum_and_makes_a_constant_map_zero():
    cams = torch.tensor([[[1.0, 2.0, 5.0]], [[3.0, 3.0, 3.0]]])
    expected = torch.tensor([[[0.0, 0.25, 1.0]], [[0.0, 0.0, 0.0]]])
    found = MinMaxNormalize().normalize(cams, SegDataSample())
    assert_close(found, expected, atol=1e-5, rtol=0)


def test_constant_background_is_a_threshold():
    background = ConstantBackground(0.3).background(torch.zeros(2, 3, 4), SegDataSample())
    assert_close(background, torch.full((1, 3, 4), 0.3))


def test_power_background_of_the_best_class():
    cams = torch.tensor([[[0.5, 0.0]], [[0.25, 1.0]]])
    background = PowerBackground(alpha=2).background(cams, SegDataSample())
    assert_close(background, torch.tensor([[[0.25, 0.0]]]))


def test_power_background_is_a_number_where_a_map_exceeds_one():
    background = PowerBackground(alpha=1.5).background(torch.full((1, 2, 2), 1.1), SegDataSample())
    assert not background.any()


def test_power_background_without_a_class_is_one():
    assert PowerBackground(alpha=4).background(torch.zeros(0, 2, 3), SegDataSample()).eq(1).all()


def test_unary_agrees_with_the_reference(random_sample):
    boxes, labels, classes = [[2, 3, 12, 15], [8, 1, 20, 18], [5, 5, 9, 9]], [3, 11, 3], [3, 11]
    sample = random_sample(boxes, labels)
    cams = BoxNormalize().normalize(sample.cams, sample)
    background = AttentionBackground().background(cams, sample)
    scores = SoftmaxInBoxes().refine(torch.cat([background, cams]), IMAGE, sample)
    expected = reference.unary(
        sample.feats,
        sample.class_weights[[0, 4, 12]],
        sample.background_mask.data[0] == 1,
        boxes,
        labels,
        classes,
    )
    assert_close(scores, expected, atol=2e-6, rtol=0)


def test_background_is_zero_inside_boxes_that_fill_the_image_and_the_image_is_counted(
    random_sample,
):
    part = AttentionBackground()
    sample = random_sample([[0, 0, 24, 20]], [2])
    assert not part.background(sample.cams, sample).any()
    part.background(sample.cams, random_sample([[0, 0, 4, 4]], [2]))
    assert part.counts == {'without_background': 1}


def test_box_constraint_leaves_the_background_and_cuts_each_class(random_sample):
    sample = random_sample([[2, 3, 5, 6], [0, 0, 1, 1], [10, 10, 12, 12]], [3, 3, 7])
    scores = BoxConstraint().refine(torch.ones(3, 20, 24), IMAGE, sample)
    assert scores.sum(dim=(1, 2)).tolist() == [20 * 24, 10, 4]
    assert scores[1, 3:6, 2:5].eq(1).all()


def test_class_without_a_box_loses_all_scores(random_sample):
    sample = random_sample([[2, 3, 5, 6]], [3], classes=[3, 9])
    scores = BoxConstraint().refine(torch.ones(3, 20, 24), IMAGE, sample)
    assert not scores[2].any()


def test_retrieval_represents_a_lost_class_by_its_weight(random_sample):
    sample = random_sample([[2, 3, 12, 15], [8, 1, 20, 18]], [3, 11])
    scores = torch.zeros(3, 20, 24)
    scores[0], scores[1, 4:9, 4:9] = 0.5, 1  # class 11 has no pixel
    background = sample.background_mask.data[0] == 1
    expected = reference.retrieved(
        sample.feats,
        sample.class_weights[[0, 4, 12]],
        scores.argmax(dim=0),
        background,
        torch.ones(2, 20, 24),
    )
    assert_close(RetrievalRefiner().refine(scores, IMAGE, sample), expected, atol=2e-6, rtol=0)


def test_retrieval_accepts_a_classifier_without_background(random_sample):
    sample = random_sample([[2, 3, 12, 15], [8, 1, 20, 18]], [3, 11])
    scores = torch.zeros(3, 20, 24)
    scores[0], scores[1, 4:9, 4:9] = 0.5, 1
    expected = RetrievalRefiner().refine(scores, IMAGE, sample)
    sample.class_weights = sample.class_weights[1:]
    assert_close(RetrievalRefiner().refine(scores, IMAGE, sample), expected)


def test_retrieval_from_tags_knows_no_background_beforehand(random_sample):
    sample = random_sample([[2, 3, 12, 15], [8, 1, 20, 18]], [3, 11])
    scores = torch.zeros(3, 20, 24)
    scores[0], scores[1, 4:9, 4:9] = 0.5, 1
    with_boxes = RetrievalRefiner().refine(scores, IMAGE, sample)
    outside = sample.background_mask.data[0] == 1
    del sample.background_mask
    from_tags = RetrievalRefiner().refine(scores, IMAGE, sample)
    assert_close(from_tags[1:], with_boxes[1:])
    assert_close(from_tags[0][~outside], with_boxes[0][~outside])
    assert (from_tags[0][outside] < 1).all()


def test_retrieval_refuses_weights_of_another_number_of_classes(random_sample):
    sample = random_sample([[2, 3, 12, 15]], [3])
    sample.class_weights = sample.class_weights[:7]
    with pytest.raises(ValueError, match='must have 20 or 21 rows'):
        RetrievalRefiner().refine(torch.ones(2, 20, 24), IMAGE, sample)


def test_argmax_labeler_writes_label_values_and_background_wins_ties():
    sample = SegDataSample()
    sample.cam_label = torch.tensor([4, 7])
    scores = torch.tensor([[[0.5, 0.1, 0.1]], [[0.5, 0.9, 0.1]], [[0.5, 0.9, 0.8]]])
    label = ArgmaxLabeler()(scores, sample)
    assert label.dtype == torch.uint8
    assert label.tolist() == [[0, 5, 8]]


def test_parts_leave_their_input_alone(random_sample):
    sample = random_sample([[2, 3, 12, 15]], [3])
    scores = torch.rand(2, 20, 24)
    before = scores.clone(), sample.cams.clone()
    for refiner in (SoftmaxInBoxes(), BoxConstraint(), RetrievalRefiner()):
        refiner.refine(scores, IMAGE, sample)
    BoxNormalize().normalize(sample.cams, sample)
    AttentionBackground().background(sample.cams, sample)
    assert scores.equal(before[0])
    assert sample.cams.equal(before[1])


@pytest.mark.parametrize(
    ('part', 'options'),
    [(PowerBackground, dict(alpha=0)), (AttentionBackground, dict(threshold=2))],
)
def test_options_out_of_range_are_refused(part, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        part(**options)
