"""Labels for clear scores: hand-made scores, then reference values."""

import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample

from mmwsss.pseudo_labels import ConflictLabeler
from mmwsss.pseudo_labels.labelers import conflict_label, has_foreground
from mmwsss.registry import TASK_UTILS

SALIENT_31, SALIENT_32 = 1 - 31 / 255, 1 - 32 / 255


def rows(*pixels):
    """Scores (1+n, 1, W) of one row of pixels, each (background, class scores...)."""
    return torch.tensor(pixels, dtype=torch.float32).T[:, None]


def label_of(scores, classes=(4, 7), **options):
    return conflict_label(scores, torch.tensor(classes, dtype=torch.long), **options)[0].tolist()


def sample_of(classes):
    sample = SegDataSample()
    sample.cam_label = torch.tensor(classes, dtype=torch.long)
    return sample


def test_a_pixel_is_of_its_best_score():
    assert label_of(rows((0.95, 0.1, 0.2), (0.2, 0.6, 0.3), (0.0, 0.3, 0.4))) == [0, 5, 8]


def test_two_certain_scores_contradict_each_other():
    scores = rows((0.95, 0.92, 0.0), (0.0, 0.91, 0.95), (0.0, 0.9, 0.95), (0.93, 0.0, 0.0))
    assert label_of(scores) == [255, 255, 8, 0]


def test_thresholds_are_single_precision():
    at, above = np.float32(0.9), np.nextafter(np.float32(0.9), np.float32(1))
    assert float(at) < 0.9  # a comparison in double precision would hold here as well
    assert label_of(rows((0.0, 0.95, at), (0.0, 0.95, above))) == [5, 255]
    at, above = np.float32(0.8), np.nextafter(np.float32(0.8), np.float32(1))
    assert float(at) > 0.8
    assert label_of(rows((0.89, at, 0.0), (0.89, above, 0.0))) == [0, 255]


def test_background_that_is_salient_is_in_doubt():
    assert label_of(rows((SALIENT_31, 0.1, 0.2), (SALIENT_32, 0.1, 0.2))) == [0, 255]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_the_precision_of_the_scores_does_not_move_the_saliency(dtype):
    scores = rows((SALIENT_31, 0.1, 0.2), (SALIENT_32, 0.1, 0.2)).to(dtype)
    assert label_of(scores) == [0, 255]


def test_another_background_has_no_saliency():
    assert label_of(rows((0.5, 0.1, 0.2)), saliency_threshold=None) == [0]


def test_ties_go_to_background_then_to_the_lower_class_in_any_order_of_the_rows():
    scores = rows((0.7, 0.7, 0.7), (0.0, 0.6, 0.6), (0.0, 0.2, 0.6))
    assert label_of(scores, (7, 4), saliency_threshold=None) == [0, 5, 5]
    assert label_of(scores, (4, 7), saliency_threshold=None) == [0, 5, 8]


def test_without_a_class_salient_pixels_are_ignored():
    assert label_of(rows((1.0,), (SALIENT_32,)), ()) == [0, 255]


@pytest.mark.parametrize(('foreground', 'kept'), [(11, False), (12, True)])
def test_an_image_with_less_than_one_percent_of_foreground_is_ignored(foreground, kept):
    scores = torch.zeros(2, 30, 40)
    scores[0], scores[1].view(-1)[:foreground] = 1, 0.85
    scores[0].view(-1)[:foreground] = 0
    labeler = ConflictLabeler()
    label = labeler(scores, sample_of([2]))
    assert label.dtype == torch.uint8
    expected = torch.where(scores[1] > 0, 3, 0) if kept else torch.full((30, 40), 255)
    assert label.tolist() == expected.tolist()
    assert labeler.counts == {'ignored_without_foreground': int(not kept)}


@pytest.mark.parametrize('pixels', [100, 300, 700, 1100, 12_300, 187_500])
def test_exactly_one_percent_is_enough_at_every_size(pixels):
    label = torch.zeros(1, pixels, dtype=torch.uint8)
    label[0, : pixels // 100] = 7
    assert has_foreground(label, min_share=0.01)
    label[0, 0] = 255  # ignored pixels are not foreground
    assert not has_foreground(label, min_share=0.01)


def test_scores_are_left_alone():
    scores = torch.rand(3, 4, 5)
    before = scores.clone()
    ConflictLabeler()(scores, sample_of([7, 4]))
    assert scores.equal(before)


def test_labels_are_those_of_the_reference(oracle):
    values = oracle('rca_gen_labels')
    labeler = ConflictLabeler(
        conflict_threshold=float(values['conflict_threshold']),
        saliency_threshold=int(values['saliency_threshold']),
        attention_threshold=float(values['attention_threshold']),
        min_foreground=float(values['min_foreground']),
    )
    for case in range(int(values['num_cases'])):
        crf, saliency = values[f'c{case}_crf'], values[f'c{case}_saliency']
        scores = torch.from_numpy(np.concatenate([1 - saliency[None] / np.float32(255), crf[1:]]))
        label = labeler(scores, sample_of(values[f'c{case}_class_ids'].tolist()))
        assert np.array_equal(label.numpy(), values[f'c{case}_label']), values[f'c{case}_name']


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('conflict_threshold', 1.1),
        ('attention_threshold', -0.1),
        ('min_foreground', 2),
        ('saliency_threshold', 0),
        ('saliency_threshold', 256),
    ],
)
def test_a_threshold_out_of_range_is_named(option, value):
    with pytest.raises(ValueError, match=option):
        TASK_UTILS.build(dict(type='ConflictLabeler', **{option: value}))
