import pytest
import torch
from mmengine.model import BaseModule
from mmseg.structures import SegDataSample
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from mmwsss.models.losses import (
    probability_over_proportion,
    probability_step_loss,
    proportion_kl,
    threshold_step_loss,
)
from mmwsss.models.objectives import SpatialBCE
from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, UserInputError

BACKBONE, THRESHOLD, REDUCTION, TEMPERATURE, CLASSIFIER = PARAMETERS = (
    'backbone.conv.weight',
    'head.context.threshold.weight',
    'head.context.reduction.weight',
    'head.context.log_temperature',
    'head.classifier.weight',
)
PROBABILITIES = {BACKBONE, REDUCTION, TEMPERATURE, CLASSIFIER}


@MODELS.register_module()
class PlainConvBackbone(BaseModule):
    """Stride-2 features of a test image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)

    def forward(self, images):
        return (self.conv(images).relu(),)


def classifier(**objective):
    torch.manual_seed(0)
    context = dict(type='ThresholdBranch', in_channels=8, num_classes=3, channels=4)
    head = dict(
        type='CAMHead',
        in_channels=4,
        num_classes=3,
        context=context,
        pooling=dict(type='GlobalAveragePooling'),
    )
    return MODELS.build(
        dict(
            type='CAMClassifier',
            backbone=dict(type='PlainConvBackbone'),
            head=head,
            objectives=[dict(type='SpatialBCE', **objective)],
        )
    )


def sample_of(proportions):
    sample = SegDataSample(metainfo=dict(img_path='shop/bike.jpg'))
    sample.gt_proportion = torch.tensor(proportions, dtype=torch.float64)
    sample.gt_label = sample.gt_proportion.nonzero().squeeze(1)
    sample.gt_score = (sample.gt_proportion > 0).float()
    return sample


def batch():
    images = torch.randn(2, 3, 8, 10, generator=torch.Generator().manual_seed(1))
    return images, [sample_of([0.3, 0.0, 0.1]), sample_of([0.0, 0.6, 0.0])]


def names_with_gradient(model, *losses):
    model.zero_grad(set_to_none=True)
    for loss in losses:
        if loss.requires_grad:
            loss.backward(retain_graph=True)
    return {name for name, p in model.named_parameters() if p.grad is not None}


def routes(model, phase):
    """Names of the parameters that get a non-zero gradient from each loss."""
    model.objectives[0].set_phase(phase)
    losses = model(*batch(), mode='loss')
    assert not losses.pop('probability_over_proportion').requires_grad
    reached = {name: names_with_gradient(model, loss) for name, loss in losses.items()}
    names_with_gradient(model, *losses.values())
    assert all(p.grad.abs().max() > 0 for p in model.parameters() if p.grad is not None)
    return reached


def test_every_parameter_has_a_known_name():
    assert {name for name, _ in classifier().named_parameters()} == set(PARAMETERS)


@pytest.mark.parametrize('official', [False, True])
def test_the_probability_phase_trains_all_but_the_threshold_branch(official):
    reached = routes(classifier(official=official), 'probability')
    assert reached == {'loss_spatial_bce': PROBABILITIES, 'loss_proportion_kl': PROBABILITIES}


def test_the_threshold_phase_trains_the_threshold_branch_and_the_backbone_alone():
    reached = routes(classifier(), 'threshold')
    assert reached == {'loss_spatial_bce': {BACKBONE, THRESHOLD}, 'loss_proportion_kl': set()}


def test_as_published_the_divergence_trains_probabilities_in_the_threshold_phase_too():
    reached = routes(classifier(official=True), 'threshold')
    assert reached['loss_spatial_bce'] == {BACKBONE, THRESHOLD}
    assert reached['loss_proportion_kl'] == PROBABILITIES


def test_the_losses_are_those_of_scores_times_temperature():
    model = classifier(loss_weight=2.0, kl_weight=0.5)
    images, samples = batch()
    outputs = model.encode(images, samples)
    logits = outputs.score_map * 10
    proportions = torch.stack([sample.gt_proportion for sample in samples])
    present = torch.tensor([0, 2, 4])
    for phase, expected in (
        ('probability', probability_step_loss(logits, proportions, present)),
        ('threshold', threshold_step_loss(logits, outputs.parts['threshold_map'], present)),
    ):
        model.objectives[0].set_phase(phase)
        losses = model(images, samples, mode='loss')
        assert_close(losses['loss_spatial_bce'], 2 * expected)
        divergence = proportion_kl(logits, proportions, present)
        assert_close(losses['loss_proportion_kl'], divergence / 2)
        quotient = probability_over_proportion(logits, proportions, present)
        assert_close(losses['probability_over_proportion'], quotient)


@pytest.mark.parametrize('phase', ['probability', 'threshold'])
def test_images_without_any_class_give_finite_gradients(phase):
    model = classifier()
    model.objectives[0].set_phase(phase)
    losses = model(batch()[0], [sample_of([0.0] * 3)] * 2, mode='loss')
    names_with_gradient(model, *losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_an_unknown_phase_is_refused():
    with pytest.raises(ValueError, match=r"phase must be one of .*'network'"):
        SpatialBCE().set_phase('network')


def test_a_context_without_thresholds_is_an_error_at_construction():
    head = dict(
        type='CAMHead', in_channels=8, num_classes=3, pooling=dict(type='GlobalAveragePooling')
    )
    backbone, objectives = dict(type='PlainConvBackbone'), [dict(type='SpatialBCE')]
    with pytest.raises(ValueError, match='SpatialBCE requires'):
        MODELS.build(
            dict(type='CAMClassifier', backbone=backbone, head=head, objectives=objectives)
        )


def test_a_sample_without_proportions_is_named():
    images, samples = batch()
    del samples[1].gt_proportion
    with pytest.raises(
        UserInputError, match=r'shop/bike.jpg: `gt_proportion` is missing.*proportion_file'
    ):
        classifier()(images, samples, mode='loss')


def test_proportions_of_other_classes_are_named():
    images, samples = batch()
    samples[0].gt_proportion = torch.zeros(4)
    with pytest.raises(
        UserInputError, match=r'shape \(4,\), expected one number per class, \(3,\)'
    ):
        classifier()(images, samples, mode='loss')


def test_scores_with_background_are_refused():
    maps = torch.zeros(1, 4, 2, 2)
    parts = dict(threshold_map=maps[:, 1:], log_temperature=torch.zeros(3))
    outputs = CAMOutputs(maps, maps, torch.zeros(1, 4), parts=parts)
    with pytest.raises(ValueError, match='expected 3 score channels'):
        SpatialBCE()(outputs, [sample_of([0.5, 0, 0])], None)


def gradients(model, wrapped, images, samples, phase):
    model.objectives[0].set_phase(phase)
    model.zero_grad(set_to_none=True)
    sum(wrapped(images, samples, mode='loss').values()).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_two_distributed_processes_train_as_one(on_two_ranks):
    phases = ('probability', 'threshold', 'probability')
    images, samples = batch()
    model = classifier()
    expected = [gradients(model, model, images, samples, phase) for phase in phases]

    def of_one_rank(rank):
        replica = classifier()
        wrapped = DistributedDataParallel(replica, find_unused_parameters=True)
        mine = images[rank : rank + 1], samples[rank : rank + 1]
        return [gradients(replica, wrapped, *mine, phase) for phase in phases]

    for found in on_two_ranks(of_one_rank):
        assert_close(found, expected)
