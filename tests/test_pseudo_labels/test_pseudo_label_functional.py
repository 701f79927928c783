import pytest
import torch
import torch.nn.functional as F
from reference import pseudo_labels as reference
from torch.testing import assert_close

from mmwsss.pseudo_labels.functional import (
    background_attention_map,
    cosine_maps,
    keep_near_maximum,
    region_means,
    resize_matrices,
    retrieval_scores,
    softmax_inside,
    upsample,
)


def test_upsample_keeps_the_corners_and_puts_the_mean_between():
    maps = torch.tensor([[[0.0, 2.0]]])
    assert_close(upsample(maps, (1, 3)), torch.tensor([[[0.0, 1.0, 2.0]]]))


@pytest.mark.parametrize('size', [(17, 23), (5, 6), (1, 1), (3, 2)])
def test_resize_matrices_are_the_resize(rng, size):
    maps = torch.rand(2, 5, 6, generator=rng)
    rows, cols = resize_matrices((5, 6), size, maps)
    assert_close(rows @ maps @ cols.mT, upsample(maps, size))


def test_cosine_with_a_resized_feature_that_points_halfway_is_one_over_root_two():
    feats = torch.eye(2)[:, None, :]  # (C=2, h=1, w=2): e1 at the left, e2 at the right
    cosines = cosine_maps(feats, torch.tensor([[3.0, 0.0]]), (1, 3))
    assert_close(cosines, torch.tensor([[[1.0, 0.5**0.5, 0.0]]]))


def test_cosine_maps_agree_with_full_size_features(rng):
    feats = torch.randn(8, 5, 6, generator=rng)
    vectors = torch.randn(3, 8, generator=rng)
    full = reference.full_size_features(feats, (21, 19))
    expected = torch.stack([reference.cosine(full, vector) for vector in vectors])
    assert_close(cosine_maps(feats, vectors, (21, 19)), expected, atol=2e-6, rtol=0)


def test_cosine_with_a_zero_vector_or_feature_is_zero(rng):
    feats = torch.rand(4, 3, 3, generator=rng)
    assert not cosine_maps(feats, torch.zeros(1, 4), (5, 5)).any()
    assert not cosine_maps(torch.zeros(4, 3, 3), torch.ones(1, 4), (5, 5)).any()


def test_cosine_stays_in_range_where_opposite_features_cancel(rng):
    feats = torch.randn(64, 1, 1, generator=rng) * torch.tensor([[[1.0, -1.0]]])
    cosines = cosine_maps(feats, feats[:, :, 0].T, (1, 101))
    assert cosines.isfinite().all()
    assert cosines.abs().max() <= 1


def test_region_means_agree_with_full_size_features(rng):
    feats = torch.randn(8, 5, 6, generator=rng)
    regions = torch.rand(3, 21, 19, generator=rng) < torch.tensor([0.1, 0.5, 0.9])[:, None, None]
    full = reference.full_size_features(feats, (21, 19))
    expected = torch.stack([reference.region_mean(full, region) for region in regions])
    means, num_pixels = region_means(feats, regions)
    assert_close(means, expected)
    assert num_pixels.tolist() == regions.sum(dim=(1, 2)).tolist()


def test_mean_of_an_empty_region_is_zero(rng):
    means, num_pixels = region_means(torch.rand(3, 2, 2, generator=rng), torch.zeros(1, 4, 4))
    assert not means.any()
    assert num_pixels.item() == 0


def test_keep_near_maximum_keeps_what_reaches_the_share():
    maps = torch.tensor([[[1.0, 0.98, 0.5]], [[0.0, 0.0, 0.0]]])
    kept = keep_near_maximum(maps, threshold=0.98)
    assert_close(kept, torch.tensor([[[1.0, 0.98, 0.0]], [[0.0, 0.0, 0.0]]]))


def test_softmax_inside_leaves_the_outside_alone():
    scores = torch.tensor([[[0.0, 1.0]], [[0.0, 0.25]]])
    result = softmax_inside(scores, torch.tensor([[True, False]]))
    assert_close(result, torch.tensor([[[0.5, 1.0]], [[0.5, 0.25]]]))


def test_attention_without_background_is_zero_and_not_nan(rng):
    attention = background_attention_map(torch.rand(4, 3, 3, generator=rng), torch.zeros(9, 9))
    assert not attention.any()


@pytest.mark.parametrize('index', [0, 1, 2])
def test_attention_matches_the_oracle(oracle_image, index):
    image, sample = oracle_image(index)
    attention = background_attention_map(sample.feats, sample.background_mask.data[0])
    assert_close(attention[0], torch.from_numpy(image['attention']), atol=5e-6, rtol=0)
    kept = keep_near_maximum(attention, threshold=0.99)[0] > 0
    assert kept.int().numpy().tolist() == image['attention_kept'].tolist()


def test_retrieval_agrees_with_the_reference_also_for_a_class_without_pixels(rng):
    feats = torch.randn(8, 5, 6, generator=rng)
    weights = torch.randn(3, 8, generator=rng)
    label = torch.randint(0, 2, (12, 14), generator=rng)  # row 2 has no pixel
    background = torch.rand(12, 14, generator=rng) < 0.3
    in_boxes = torch.ones(2, 12, 14)
    expected = reference.retrieved(feats, weights, label, background, in_boxes)
    regions = F.one_hot(label, 3).permute(2, 0, 1)
    result = retrieval_scores(feats, regions, weights, background)
    assert_close(result, expected, atol=2e-6, rtol=0)
