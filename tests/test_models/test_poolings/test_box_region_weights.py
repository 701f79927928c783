import torch
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.models.poolings.background_aware_pooling import (
    background_aware_weights,
    class_region_weights,
)
from mmwsss.registry import MODELS

SIZE = (32, 40)


def box_sample(boxes, labels):
    sample = SegDataSample()
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor(labels, dtype=torch.long)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    mask = torch.ones(1, *SIZE, dtype=torch.uint8)
    for x1, y1, x2, y2 in boxes.int().clamp_min(0).tolist():
        mask[:, y1:y2, x1:x2] = 0
    sample.background_mask = PixelData(data=mask)
    return sample


def region_weights(samples, rng, *, num_classes=3):
    feats = torch.randn(len(samples), 6, 8, 10, generator=rng).relu().requires_grad_()
    score_map = torch.randn(len(samples), 1 + num_classes, 8, 10, generator=rng)
    pooling = MODELS.build(dict(type='BackgroundAwarePooling'))
    return feats, pooling(feats, score_map, samples).parts['region_weights']


def test_boxes_of_a_class_share_its_region():
    box_weights = torch.tensor([[[[1.0, 0, 0]], [[0, 1.0, 0]], [[0, 0, 1.0]]]])
    weights = class_region_weights(box_weights, torch.tensor([[1, 0, 1]]), num_classes=3)
    assert_close(weights, torch.tensor([[[0.0, 1, 0], [0.5, 0, 0.5], [0, 0, 0]]]))


def test_the_region_of_a_box_that_is_cut_off_sums_to_one_too():
    weights = class_region_weights(
        torch.tensor([[[[0.25, 0.0], [0.5, 0.25]]]]), torch.tensor([[0]]), num_classes=1
    )
    assert_close(weights, torch.tensor([[[0.75, 0.25]]]))


def test_a_region_is_the_mean_over_the_bins_of_the_boxes_of_its_class(rng):
    samples = [
        box_sample([[4, 2, 20, 30], [18, 10, 38, 21], [25, 5, 39, 30]], [2, 0, 2]),
        box_sample([[8, 8, 30, 20]], [1]),
    ]
    feats, weights = region_weights(samples, rng)
    assert weights.shape == (2, 3, 8, 10)
    for image, sample in enumerate(samples):
        instances = sample.gt_instances
        bins, _, _ = background_aware_weights(
            feats[image : image + 1], instances.bboxes[None], sample.background_mask.data
        )
        for label in range(3):
            own = bins[0, instances.labels == label]
            expected = own.mean(dim=(0, 1)).detach() if len(own) else torch.zeros(80)
            expected = expected / expected.sum().clamp_min(1e-6)  # boxes reach beyond the map
            assert_close(weights[image, label].flatten(), expected, rtol=1e-4, atol=1e-6)


def test_boxes_outside_of_the_image_and_absent_boxes_have_no_region(rng):
    samples = [box_sample([[100, 100, 120, 120], [4, 4, 20, 20]], [0, 1]), box_sample([], [])]
    _, weights = region_weights(samples, rng)
    sums = weights.sum(dim=(2, 3))
    assert_close(sums, torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))


def test_regions_of_boxes_are_constants_for_the_gradient(rng):
    feats, weights = region_weights([box_sample([[4, 4, 20, 20]], [1])], rng)
    assert feats.requires_grad
    assert not weights.requires_grad


def test_a_pooling_of_boxes_says_that_it_provides_regions():
    assert MODELS.build(dict(type='BackgroundAwarePooling')).provides == ('region_weights',)
