import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from reference import background_aware_pooling as reference
from torch.nn.utils.rnn import pad_sequence
from torch.testing import assert_close

from mmwsss.models.poolings.background_aware_pooling import background_aware_weights
from mmwsss.models.poolings.region_weights import grid_cell_weights
from mmwsss.registry import MODELS
from mmwsss.structures import IGNORE_INDEX

FORMATS = [torch.contiguous_format, torch.channels_last]


def build(**options):
    return MODELS.build(dict(type='BackgroundAwarePooling', **options))


def mask_of_boxes(boxes, height, width):
    mask = torch.ones(height, width, dtype=torch.uint8)
    for x1, y1, x2, y2 in boxes.round().int().tolist():
        mask[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = 0
    return mask


def make_sample(boxes, labels, mask):
    sample = SegDataSample()
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor(labels, dtype=torch.long)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    sample.background_mask = PixelData(data=mask[None])
    return sample


def sample_of_boxes(boxes, labels, height=32, width=40):
    return make_sample(
        boxes, labels, mask_of_boxes(torch.tensor(boxes).reshape(-1, 4), height, width)
    )


def pool(samples, rng, *, num_classes=2, feat_size=(8, 10), **options):
    """Pool random features; return logits, targets and gradient of a random mean of the logits."""
    feats = torch.randn(len(samples), 6, *feat_size, generator=rng).relu().requires_grad_()
    weights = torch.randn(1 + num_classes, 6, generator=rng)
    pooled = build(**options)(feats, torch.einsum('kc,bchw->bkhw', weights, feats), samples)
    pooled.logits.square().mean().backward()
    assert pooled.logits.isfinite().all()
    assert feats.grad.isfinite().all()
    return pooled, feats.detach(), weights


def oracle_case(arrays, index, memory_format=torch.contiguous_format):
    case = {
        key.split('_', 1)[1]: torch.from_numpy(value)
        for key, value in arrays.items()
        if key.startswith(f'c{index}_') and value.ndim
    }
    case['features'] = case['features'].to(memory_format=memory_format).requires_grad_()
    if 'batch_ids' in case:
        ids = case['batch_ids']
        images = range(len(case['features']))
        case['image_boxes'] = [case['boxes_px'][ids == i] for i in images]
        case['image_labels'] = [case['labels'][ids == i] for i in images]
    return case


def test_two_boxes_of_a_hand_made_image():
    # 4x4 pixels are 4x4 features. Background: the left half, feature (1, 0). The box covers the
    # right half, where the upper bins look like background and the lower ones do not.
    feats = torch.zeros(1, 2, 4, 4)
    feats[0, 0, :, :2] = 1.0
    feats[0, 0, :2, 2:] = 2.0
    feats[0, 1, 2:, 2:] = 3.0
    mask = torch.zeros(1, 4, 4)
    mask[:, :, :2] = 1
    boxes = torch.tensor([[[2.0, 0.0, 3.0, 3.0]]])
    bins, cells, counts = background_aware_weights(feats, boxes, mask, grid_size=1)
    assert counts.tolist() == [[8]]
    assert_close(cells[0] @ feats[0].flatten(1).T, torch.tensor([[1.0, 0.0]]))
    pooled = bins[0, 0] @ feats[0].flatten(1).T
    # The box is one column of three points: halfway beyond the upper border, between both kinds of
    # features, halfway beyond the lower border. Two points per bin.
    # F = (1, 0), (1, 1.5), (0, 1.5), hence A = 1, 1/sqrt(1 + 1.5^2) = 0.5547, 0.
    weight = 1 - 0.5547
    upper, lower = [1.0, 1.5], [weight * 1.0 / (weight + 1), 1.5]
    expected = torch.tensor([upper, upper, lower, lower])  # the column is in both bins
    assert_close(pooled, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize('index', range(6))
def test_background_cells_equal_the_oracle(oracle, index):
    arrays = oracle('bana_grid_queries')
    grid_size = int(arrays[f'c{index}_grid_size'])
    case = oracle_case(arrays, index)
    feats = case['features'].detach()
    mask = F.interpolate(case['mask_full'][:, None].float(), feats.shape[2:]).squeeze(1)
    assert_close(mask, case['mask'].float(), rtol=0, atol=0)
    weights, counts = grid_cell_weights(mask, grid_size=grid_size)
    assert_close(counts, case['counts'], rtol=0, atol=0)
    assert counts.flatten().nonzero().flatten().tolist() == case['valid_ids'].tolist()
    assert_close(weights @ feats.flatten(2).mT, case['queries'], rtol=0, atol=1e-6)


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('index', range(2))
def test_box_prototypes_and_their_gradient_equal_the_oracle(oracle, index, memory_format):
    case = oracle_case(oracle('bana_bap'), index, memory_format)
    feats = case['features']
    boxes = pad_sequence(case['image_boxes'], batch_first=True)
    weights, _, _ = background_aware_weights(feats, boxes, case['mask_full'])
    prototypes = weights.flatten(1, 2) @ feats.flatten(2).mT  # (B, 4M, C)
    real = [p[: 4 * len(b)] for p, b in zip(prototypes, case['image_boxes'], strict=True)]
    prototypes = torch.cat(real)
    assert_close(prototypes, case['protos'], rtol=0, atol=2e-5)
    (prototypes * case['out_weights']).sum().backward()
    tolerance = 2e-5 * case['grad_features'].abs().max().item()
    assert_close(feats.grad, case['grad_features'], rtol=0, atol=tolerance)


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('index', range(2))
def test_loss_of_regions_equals_the_oracle(oracle, index, memory_format):
    case = oracle_case(oracle('bana_stage1_loss'), index, memory_format)
    feats, weight = case['features'], case['weight'].requires_grad_()
    samples = [
        make_sample(boxes.tolist(), (labels - 1).tolist(), mask)
        for boxes, labels, mask in zip(
            case['image_boxes'], case['image_labels'], case['mask_full'], strict=True
        )
    ]
    pooled = build()(feats, torch.einsum('kc,bchw->bkhw', weight, feats), samples)
    real = pooled.targets != IGNORE_INDEX
    assert_close(pooled.targets[real], case['targets'], rtol=0, atol=0)
    assert_close(pooled.logits[real], case['logits'], rtol=0, atol=2e-5)
    objective = MODELS.build(dict(type='RegionCrossEntropy'))
    loss = objective(pooled, samples, None)['loss_region']
    assert_close(
        loss.item(), oracle('bana_stage1_loss')[f'c{index}_loss'].item(), rtol=0, atol=1e-6
    )
    loss.backward()
    for grad, key in ((feats.grad, 'grad_features'), (weight.grad, 'grad_weight')):
        expected = case[key]
        assert_close(grad, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_logits_equal_those_of_the_plain_loops(rng):
    boxes = [[[3.0, 2.0, 20.0, 30.0], [18.0, 10.0, 39.0, 12.0]], [[0.0, 0.0, 9.0, 33.0]]]
    labels = [[1, 0], [1]]
    samples = [sample_of_boxes(b, c) for b, c in zip(boxes, labels, strict=True)]
    pooled, feats, weights = pool(samples, rng)
    masks = torch.cat([s.background_mask.data for s in samples])
    small = F.interpolate(masks[:, None].float(), feats.shape[2:])[:, 0]
    expected = reference.region_logits(feats, weights, boxes, masks, small, 4)
    real = pooled.targets != IGNORE_INDEX
    assert_close(pooled.logits[real], expected, rtol=1e-4, atol=1e-5)
    assert pooled.targets[real][:12].tolist() == [2] * 4 + [1] * 4 + [2] * 4


@pytest.mark.parametrize(
    ('image_size', 'feat_size'), [((32, 40), (8, 10)), ((8, 10), (8, 10)), ((33, 33), (5, 5))]
)
def test_box_cut_by_the_crop_and_flipped_equals_the_plain_loops(rng, image_size, feat_size):
    # The crop ends a box at W+1, flipping turns that into -1: one more point, beyond the border.
    height, width = image_size
    boxes = torch.tensor([[[-1.0, 1.0, width / 2, height + 1.0], [-1.0, -1.0, 3.0, 4.0]]])
    boxes = torch.cat([boxes, torch.tensor([[[-1.0, -1.0, width + 1.0, height + 1.0]]])], dim=1)
    feats = torch.randn(1, 6, *feat_size, generator=rng)
    mask = mask_of_boxes(boxes[0, :2], height, width)[None]
    weights, _, _ = background_aware_weights(feats, boxes, mask)
    prototypes = weights[0].flatten(0, 1) @ feats[0].flatten(1).T
    small = F.interpolate(mask[:, None].float(), feat_size)[:, 0]
    expected = reference.box_prototypes(feats, boxes.tolist(), mask, small, 4)
    assert_close(prototypes, expected, rtol=1e-4, atol=1e-5)


def test_score_of_a_region_is_the_score_of_its_pooled_feature(rng):
    feats = torch.randn(1, 5, 6, 6, generator=rng)
    classifier = torch.randn(3, 5, generator=rng)
    boxes = torch.tensor([[[2.0, 3.0, 20.0, 22.0]]])
    weights, _, _ = background_aware_weights(feats, boxes, mask_of_boxes(boxes[0], 24, 24)[None])
    features = weights[0, 0] @ feats[0].flatten(1).T
    scores = weights[0, 0] @ (classifier @ feats[0].flatten(1)).T
    assert_close(features @ classifier.T, scores, rtol=1e-4, atol=1e-5)


def test_full_threshold_is_plain_average_pooling(rng):
    boxes = torch.tensor([[[4.0, 4.0, 28.0, 20.0]]])
    mask = mask_of_boxes(boxes[0], 32, 40)[None]
    constant = torch.ones(1, 6, 8, 10)
    random = torch.randn(1, 6, 8, 10, generator=rng)
    plain = background_aware_weights(random, boxes, mask, min_background=1.0)[0]
    assert_close(plain, background_aware_weights(constant, boxes, mask, min_background=1.0)[0])
    assert not torch.allclose(plain, background_aware_weights(random, boxes, mask)[0])


def test_box_that_looks_like_the_background_is_averaged_plainly():
    boxes = torch.tensor([[[4.0, 4.0, 28.0, 20.0]]])
    mask = mask_of_boxes(boxes[0], 32, 40)[None]
    feats = torch.ones(1, 6, 8, 10)
    plain = background_aware_weights(feats, boxes, mask, min_background=1.0)[0]
    assert_close(background_aware_weights(feats, boxes, mask)[0], plain, rtol=1e-4, atol=1e-6)


def test_image_with_little_background_is_pooled_plainly(rng):
    feats = torch.randn(1, 6, 8, 10, generator=rng)
    boxes = torch.tensor([[[0.0, 0.0, 36.0, 32.0]]])
    mask = mask_of_boxes(boxes[0], 32, 40)[None]  # 1/10 of it is background
    plain = background_aware_weights(feats, boxes, mask, min_background=1.0)[0]
    assert_close(background_aware_weights(feats, boxes, mask)[0], plain)
    assert not torch.allclose(
        background_aware_weights(feats, boxes, mask, min_background=0.05)[0], plain
    )


def test_image_inside_one_box_has_no_background_rows(rng):
    pooled, _, _ = pool([sample_of_boxes([[0.0, 0.0, 41.0, 33.0]], [0])], rng)
    assert pooled.targets.tolist() == [1] * 4 + [IGNORE_INDEX] * 16


def test_batch_without_boxes_has_background_rows_only(rng):
    pooled, _, _ = pool([sample_of_boxes([], []), sample_of_boxes([], [])], rng)
    assert pooled.targets.tolist() == [0] * 32


def test_image_without_boxes_is_padded_with_ignored_rows(rng):
    samples = [sample_of_boxes([], []), sample_of_boxes([[4.0, 4.0, 20.0, 20.0]], [1])]
    pooled, _, _ = pool(samples, rng)
    assert pooled.targets[:8].tolist() == [IGNORE_INDEX] * 4 + [2] * 4


def test_neither_boxes_nor_background_gives_zero_loss_with_zero_gradient(rng):
    feats = torch.randn(1, 6, 8, 10, generator=rng, requires_grad=True)
    sample = make_sample([], [], torch.zeros(32, 40, dtype=torch.uint8))
    pooled = build()(feats, feats[:, :3], [sample])
    loss = MODELS.build(dict(type='RegionCrossEntropy'))(pooled, [sample], None)['loss_region']
    loss.backward()
    assert loss.item() == 0
    assert feats.grad.abs().max() == 0


@pytest.mark.parametrize(
    'box',
    [
        [10.0, 10.0, 10.0, 10.0],  # no area
        [39.0, 3.0, 41.0, 33.0],  # sliver at the border, cut one pixel beyond it, as published
        [20.0, 20.0, 10.0, 10.0],  # inverted
        [-50.0, -50.0, 500.0, 500.0],  # far beyond the image
    ],
)
def test_degenerate_box_keeps_its_class_and_stays_finite(rng, box):
    pooled, _, _ = pool([sample_of_boxes([box], [1])], rng)
    assert pooled.targets[:4].tolist() == [2] * 4


@pytest.mark.parametrize('box', [[40.0, 0.0, 50.0, 9.0], [0.0, -9.0, 9.0, 0.0]])
def test_box_outside_of_the_image_is_ignored(rng, box):
    pooled, _, _ = pool([sample_of_boxes([box], [1])], rng)
    assert pooled.targets[:4].tolist() == [IGNORE_INDEX] * 4


@pytest.mark.parametrize(
    ('feat_size', 'options'),
    [
        ((1, 1), {}),
        ((3, 2), {}),
        ((8, 10), {'bins': 3}),
        ((8, 10), {'bins': 1, 'grid_size': 1}),
        ((32, 40), {'grid_size': 7}),
    ],
)
def test_any_size_of_map_grid_and_bins(rng, feat_size, options):
    samples = [sample_of_boxes([[4.0, 4.0, 9.0, 20.0]], [1])]
    pooled, _, _ = pool(samples, rng, num_classes=5, feat_size=feat_size, **options)
    bins, grid_size = options.get('bins', 2), options.get('grid_size', 4)
    assert pooled.logits.shape == (bins**2 + grid_size**2, 6)
    assert pooled.targets.shape == pooled.logits.shape[:1]


@pytest.mark.parametrize('memory_format', FORMATS)
def test_gradient_of_the_weights(rng, memory_format):
    feats = torch.rand(2, 3, 4, 5, generator=rng, dtype=torch.float64) + 0.1
    feats = feats.to(memory_format=memory_format).requires_grad_()
    boxes = torch.tensor([[[2.0, 1.0, 15.0, 12.0]], [[0.0, 4.0, 9.0, 16.0]]])
    masks = torch.stack([mask_of_boxes(b, 16, 20) for b in boxes])
    assert torch.autograd.gradcheck(
        lambda feats: background_aware_weights(feats, boxes, masks, grid_size=2)[0], feats
    )


def test_half_precision_features_under_autocast(rng):
    feats = torch.rand(1, 6, 8, 10, generator=rng).bfloat16().requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        pooled = build()(feats, feats[:, :3], [sample_of_boxes([[4.0, 4.0, 20.0, 20.0]], [1])])
    pooled.logits.sum().backward()
    assert pooled.logits.dtype == torch.float32
    assert feats.grad.isfinite().all()


def test_without_samples_the_whole_image_is_averaged(rng):
    score_map = torch.randn(2, 3, 4, 5, generator=rng)
    pooled = build()(score_map, score_map)
    assert_close(pooled.logits, score_map.mean((2, 3)))
    assert pooled.targets is None


def test_image_score_is_the_best_probability_of_any_position():
    score_map = torch.zeros(1, 3, 1, 2)
    score_map[0, 1, 0, 1] = torch.tensor(2.0).log()
    assert_close(build().image_scores(score_map), torch.tensor([[0.5, 1 / 3]]))


def test_missing_mask_is_explained(rng):
    sample = sample_of_boxes([[4.0, 4.0, 20.0, 20.0]], [1])
    del sample.background_mask
    with pytest.raises(ValueError, match='background_mask'):
        pool([sample], rng)


def test_masks_of_different_sizes_are_explained(rng):
    samples = [sample_of_boxes([], []), sample_of_boxes([], [], height=30)]
    with pytest.raises(ValueError, match='one size'):
        pool(samples, rng)


@pytest.mark.parametrize('options', [{'bins': 0}, {'grid_size': 0}, {'min_background': 1.5}])
def test_option_out_of_range_is_refused(options):
    with pytest.raises(ValueError, match='got'):
        build(**options)
