"""Classifiers that train with erasing triplets: processes, precision, memory formats, boxes."""

import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

from mmwsss.registry import MODELS

# The first two images are one disjoint pair, the last two another; there are no others.
PAIRS = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]])


def samples_with(tags):
    return [SegDataSample(gt_score=row, gt_label=row.nonzero().flatten()) for row in tags]


@pytest.fixture
def spread_classifier(tiny_classifier):
    """A classifier of four classes whose scores tell positions apart, always the same."""

    def build(**options):
        torch.manual_seed(0)
        config = tiny_classifier(
            dict(type='MultiLabelSoftMargin'),
            dict(type='ErasingTriplet', margin=3.0, **options),
            num_classes=4,
            pooling=dict(type='GatedPyramidPooling', num_classes=4),
            norm_eval=True,
        )
        model = MODELS.build(config).train()
        model.head.classifier.weight.data.normal_()
        return model

    return build


def gradients(model, wrapped, images, tags):
    losses = wrapped(images, samples_with(tags), mode='loss')
    sum(losses.values()).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_two_distributed_processes_train_as_one(spread_classifier, rng, on_two_ranks):
    # Together they have enough hard images for a repulsion; neither has on its own.
    images = torch.randn(4, 3, 64, 64, generator=rng)
    model = spread_classifier(min_hard=3)
    assert model.loss(images, samples_with(PAIRS))['loss_repulse'] > 0
    expected = gradients(model, model, images, PAIRS)

    def of_one_rank(rank):
        replica = spread_classifier(min_hard=3)
        mine = slice(2 * rank, 2 * rank + 2)
        wrapped = DistributedDataParallel(replica)  # without a search for unused parameters
        return gradients(replica, wrapped, images[mine], PAIRS[mine])

    for found in on_two_ranks(of_one_rank):
        assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_in_mixed_precision_losses_are_those_of_single_precision(spread_classifier, rng):
    images = torch.randn(4, 3, 64, 64, generator=rng)
    model = spread_classifier()
    expected = model.loss(images, samples_with(PAIRS))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model.loss(images, samples_with(PAIRS))
    sum(losses.values()).backward()
    for name in ('loss_attract', 'loss_repulse'):
        assert losses[name].dtype == torch.float32
        assert_close(losses[name], expected[name], rtol=0.1, atol=1e-3)
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_channels_last_weights_change_nothing(spread_classifier, rng):
    images = torch.randn(4, 3, 64, 64, generator=rng)
    model = spread_classifier()
    expected = model.loss(images, samples_with(PAIRS))
    model.to(memory_format=torch.channels_last)
    assert_close(model.loss(images, samples_with(PAIRS)), expected, rtol=1e-4, atol=1e-6)


def boxed_sample(label):
    (sample,) = samples_with(torch.eye(3)[label : label + 1])
    box = torch.tensor([[8.0, 8, 48, 48]])
    sample.gt_instances = InstanceData(bboxes=box, labels=torch.tensor([label]))
    mask = torch.ones(1, 64, 64, dtype=torch.uint8)
    mask[:, 8:48, 8:48] = 0
    sample.background_mask = PixelData(data=mask)
    return sample


def test_boxes_with_a_background_class_train_with_triplets(tiny_classifier, rng):
    model = MODELS.build(
        tiny_classifier(
            dict(type='RegionCrossEntropy'),
            dict(type='ErasingTriplet', embedding='score_map'),
            num_classes=3,
            pooling=dict(type='BackgroundAwarePooling'),
            norm_eval=True,
        )
    )
    model.head.classifier.weight.data.normal_()
    samples = [boxed_sample(label) for label in (0, 2)]
    losses = model.loss(torch.randn(2, 3, 64, 64, generator=rng), samples)
    assert set(losses) == {'loss_region', 'loss_attract', 'loss_repulse'}
    sum(losses.values()).backward()
    assert model.head.classifier.weight.grad.isfinite().all()
