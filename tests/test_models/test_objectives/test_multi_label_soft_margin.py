import math

import pytest
import torch
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs


def score(objective, logits, targets):
    feats = torch.zeros(1, 1, 1, 1)
    return MODELS.build(objective)(CAMOutputs(feats, feats, logits, targets), [], None)


def test_multi_label_soft_margin_of_hand_made_scores():
    # Probabilities 1/2 and 4/5, both classes present.
    logits = torch.tensor([[0.0, math.log(4)]])
    losses = score({'type': 'MultiLabelSoftMargin'}, logits, torch.ones(1, 2))
    assert_close(losses['loss_multi_label'].item(), (math.log(2) - math.log(0.8)) / 2)


def test_only_the_first_images_are_supervised_when_asked():
    logits = torch.tensor([[0.0], [5.0], [-7.0]], requires_grad=True)
    loss = score({'type': 'MultiLabelSoftMargin', 'supervised': 1}, logits, torch.ones(3, 1))
    assert_close(loss['loss_multi_label'].item(), math.log(2))
    loss['loss_multi_label'].backward()
    assert logits.grad.flatten().tolist() == [-0.5, 0, 0]


def test_a_batch_with_fewer_images_than_asked_is_supervised_as_it_is():
    score_of = {'type': 'MultiLabelSoftMargin', 'supervised': 8}
    loss = score(score_of, torch.zeros(3, 1), torch.ones(3, 1))['loss_multi_label']
    assert_close(loss.item(), math.log(2))


def tagged(*tags):
    samples = []
    for tag in tags:
        sample = SegDataSample()
        sample.gt_score = torch.tensor(tag, dtype=torch.float32)
        samples.append(sample)
    return samples


def score_part(part_map, samples, **options):
    objective = MODELS.build(dict(type='MultiLabelSoftMargin', part='coarse_map', **options))
    feats = torch.zeros(1, 1, 1, 1)
    # Exclusive classes of regions, as scored with boxes: a part does not look at them.
    outputs = CAMOutputs(feats, feats, feats, torch.tensor([1]), {'coarse_map': part_map})
    return objective(outputs, samples, None)


def test_the_mean_over_space_of_a_part_is_scored_against_the_tags():
    # The means are 0 and log 4: probabilities 1/2 and 4/5.
    part_map = torch.tensor([[[[-1.0, 1.0]], [[0.0, 2 * math.log(4)]]]])
    losses = score_part(part_map, tagged([1, 0]), loss_weight=2.0)
    assert list(losses) == ['loss_multi_label_coarse_map']
    expected = (math.log(2) - math.log(0.2)) / 2
    assert_close(losses['loss_multi_label_coarse_map'].item(), 2 * expected)


def test_a_part_in_half_precision_is_averaged_in_single_precision():
    part_map = torch.full((1, 1, 64, 64), 3.001, dtype=torch.bfloat16, requires_grad=True)
    loss = score_part(part_map, tagged([1]))['loss_multi_label_coarse_map']
    loss.backward()
    assert loss.dtype == torch.float32
    assert part_map.grad.isfinite().all()


def test_only_the_first_images_of_a_part_are_supervised_when_asked():
    part_map = torch.tensor([0.0, 9.0]).view(2, 1, 1, 1)
    loss = score_part(part_map, tagged([1], [0]), supervised=1)['loss_multi_label_coarse_map']
    assert_close(loss.item(), math.log(2))


def test_a_part_is_required_of_the_head():
    assert MODELS.build(dict(type='MultiLabelSoftMargin')).requires == ()
    part = MODELS.build(dict(type='MultiLabelSoftMargin', part='coarse_map'))
    assert part.requires == ('coarse_map',)


def test_supervising_no_image_is_refused():
    with pytest.raises(ValueError, match='supervised'):
        MODELS.build({'type': 'MultiLabelSoftMargin', 'supervised': 0})


def test_loss_weight_scales_the_loss():
    logits, targets = torch.zeros(1, 2), torch.tensor([1])
    losses = score({'type': 'RegionCrossEntropy', 'loss_weight': 3.0}, logits, targets)
    assert_close(losses['loss_region'].item(), 3 * math.log(2))


def test_half_precision_logits_give_a_single_precision_loss():
    logits = torch.zeros(1, 2, dtype=torch.bfloat16)
    assert (
        score({'type': 'MultiLabelSoftMargin'}, logits, torch.ones(1, 2))['loss_multi_label'].dtype
        == torch.float32
    )
