import pytest
import torch
from reference import region_contrast as reference
from torch.testing import assert_close

from mmwsss.models.regions.embeddings import mean_threshold_regions, region_embeddings


def oracle_case(arrays, index):
    prefix = f'c{index}_'
    return {
        key.removeprefix(prefix): torch.from_numpy(value)
        for key, value in arrays.items()
        if key.startswith(prefix)
    }


def labels_of(tags):
    return [row.nonzero().squeeze(1) for row in tags]


def test_a_region_is_where_the_probability_exceeds_its_mean():
    # Two classes: the softmax of class 0 is above its mean where its score leads by most.
    class_map = torch.tensor([[[[4.0, 2.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]]])
    weights = mean_threshold_regions(class_map, torch.tensor([[1.0, 0.0]]))
    assert_close(weights, torch.tensor([[[[0.5, 0.5, 0.0, 0.0]], [[0.0] * 4]]]))


def test_an_embedding_is_the_mean_of_the_features_of_the_region():
    feats = torch.tensor([[[[1.0, 2.0, 3.0]], [[10.0, 20.0, 30.0]]]])
    weights = torch.tensor([[[[0.5, 0.0, 0.5]], [[0.0, 0.0, 0.0]]]])
    regions = region_embeddings(feats, weights, [torch.tensor([0, 1])])
    assert_close(regions.embeddings, torch.tensor([[2.0, 20.0], [0.0, 0.0]]))
    assert regions.images.tolist() == [0, 0]
    assert regions.classes.tolist() == [0, 1]
    assert regions.valid.tolist() == [True, False]


def test_regions_equal_loops_over_positions(rng):
    class_map, feats = torch.randn(3, 4, 5, 6, generator=rng), torch.randn(3, 2, 5, 6)
    tags = torch.tensor([[1.0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]])
    weights = mean_threshold_regions(class_map, tags)
    regions = region_embeddings(feats, weights, labels_of(tags))
    pairs = [(0, 0), (0, 2), (0, 3), (2, 1)]
    assert list(zip(regions.images.tolist(), regions.classes.tolist(), strict=True)) == pairs
    for row, (i, c) in enumerate(pairs):
        expected = reference.region_weights(class_map[i], c)
        assert_close(weights[i, c], expected)
        assert_close(regions.embeddings[row], reference.region_embedding(feats[i], expected))
    assert weights[tags == 0].count_nonzero() == 0


def test_masks_and_embeddings_of_the_oracle(oracle):
    arrays = oracle('rca_contrast')
    for index in range(int(arrays['num_cases'])):
        case = oracle_case(arrays, index)
        weights = mean_threshold_regions(case['coarse_map'], case['label'])
        regions = region_embeddings(case['mid'], weights, labels_of(case['label']))
        assert_close(regions.images, case['region_image'])
        assert_close(regions.classes, case['region_class'])
        masks = weights[regions.images, regions.classes] > 0
        assert_close(masks.to(torch.uint8), case['region_mask'])
        assert_close(regions.embeddings, case['embedding'], rtol=0, atol=2e-6)


@pytest.mark.parametrize('value', [0.0, 0.1, -3.7])
@pytest.mark.parametrize('size', [(1, 1), (5, 7), (46, 46)])
def test_a_constant_map_has_an_empty_region(value, size):
    class_map = torch.full((1, 20, *size), value)
    weights = mean_threshold_regions(class_map, torch.ones(1, 20))
    assert weights.count_nonzero() == 0


def test_a_map_that_is_not_a_number_has_an_empty_region():
    class_map = torch.full((1, 2, 2, 2), float('nan'))
    assert mean_threshold_regions(class_map, torch.ones(1, 2)).count_nonzero() == 0


def test_regions_are_constants_for_the_gradient(rng):
    class_map = torch.randn(1, 2, 3, 3, generator=rng, requires_grad=True)
    assert not mean_threshold_regions(class_map, torch.ones(1, 2)).requires_grad


def test_the_gradient_of_an_embedding_goes_to_its_region_alone(rng):
    feats = torch.randn(1, 2, 1, 4, generator=rng, requires_grad=True)
    weights = torch.tensor([[[[0.25, 0.0, 0.75, 0.0]]]])
    region_embeddings(feats, weights, [torch.tensor([0])]).embeddings.sum().backward()
    assert_close(feats.grad, weights.expand(1, 2, 1, 4))


def test_a_batch_without_any_class_has_no_region(rng):
    feats = torch.randn(2, 3, 4, 4, generator=rng)
    regions = region_embeddings(
        feats, torch.zeros(2, 5, 4, 4), [torch.tensor([], dtype=torch.long)] * 2
    )
    assert regions.embeddings.shape == (0, 3)
    assert regions.valid.shape == regions.images.shape == regions.classes.shape == (0,)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_features_in_half_precision_give_embeddings_in_single_precision(rng, dtype):
    feats = torch.randn(2, 3, 4, 4, generator=rng).to(dtype)
    class_map, tags = torch.randn(2, 2, 4, 4, generator=rng), torch.ones(2, 2)
    weights = mean_threshold_regions(class_map.to(dtype), tags)
    with torch.autocast('cpu', torch.bfloat16):
        regions = region_embeddings(feats, weights, labels_of(tags))
    assert regions.embeddings.dtype == torch.float32
    assert_close(
        regions.embeddings, region_embeddings(feats.float(), weights, labels_of(tags)).embeddings
    )


def test_the_gradient_has_the_memory_format_of_the_features(rng):
    feats = torch.randn(2, 6, 4, 5, generator=rng)
    class_map = torch.randn(2, 3, 4, 5, generator=rng)
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        weights = mean_threshold_regions(class_map.to(memory_format=memory_format), tags)
        own = feats.to(memory_format=memory_format).requires_grad_()
        embeddings = region_embeddings(own, weights, labels_of(tags)).embeddings
        (grad,) = torch.autograd.grad(embeddings.square().sum(), own)
        assert grad.is_contiguous(memory_format=memory_format)
        results.append((embeddings, grad))
    assert_close(*results)


def test_regions_on_another_grid_are_refused():
    with pytest.raises(ValueError, match=r'grid of the features, \(4, 4\), got \(2, 2\)'):
        region_embeddings(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 2, 2), [torch.tensor([0])])
