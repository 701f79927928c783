import pytest
import torch
from torch.testing import assert_close

from mmwsss.cams import (
    MultiScaleCAM,
    activation_maps,
    max_normalize,
    min_max_normalize,
    resized_mean,
)


def test_cutting_negative_scores_before_the_resize_keeps_more_than_after():
    score_map = torch.tensor([[[-1.0, 1.0]]])
    before = activation_maps(score_map, (1, 3), align_corners=True, rectify='before_resize')
    after = activation_maps(score_map, (1, 3), align_corners=True, rectify='after_resize')
    assert_close(before, torch.tensor([[[0.0, 0.5, 1.0]]]))
    assert_close(after, torch.tensor([[[0.0, 0.0, 1.0]]]))


def test_square_root_is_taken_between_the_cut_and_the_resize():
    score_map = torch.tensor([[[-1.0, 4.0]]])
    maps = activation_maps(score_map, (1, 3), align_corners=True, square_root=True)
    assert_close(maps, torch.tensor([[[0.0, 1.0, 2.0]]]))


def test_square_root_of_scores_that_may_be_negative_is_refused():
    with pytest.raises(ValueError, match="expects rectify='before_resize'"):
        activation_maps(torch.ones(1, 1, 1), (1, 1), rectify='after_resize', square_root=True)


def test_max_normalize_divides_each_class_by_its_own_maximum():
    cams = torch.tensor([[[1.0, 2.0]], [[0.0, 8.0]]])
    assert_close(max_normalize(cams, eps=0.0), torch.tensor([[[0.5, 1.0]], [[0.0, 1.0]]]))


def test_a_class_without_any_activation_stays_zero():
    assert max_normalize(torch.zeros(1, 2, 2)).tolist() == [[[0, 0], [0, 0]]]


def test_views_are_summed_and_normalised(sample_with_cams):
    views = (
        sample_with_cams(torch.tensor([[[1.0, 0.0]]])),
        sample_with_cams(torch.tensor([[[1.0, 1.0]]])),
    )
    model = MultiScaleCAM(dict(type='StoredCAMs', folder=''))
    (merged,) = model.merge_preds([views])
    assert_close(merged.cams, torch.tensor([[[2.0, 1.0]]]) / (2.0 + 1e-5))


@pytest.fixture
def sample_with_cams():
    from mmseg.structures import SegDataSample

    def make(cams):
        sample = SegDataSample()
        sample.cams = cams
        sample.pred_score = torch.ones(len(cams))
        return sample

    return make


def test_no_present_class_gives_no_map():
    assert activation_maps(torch.zeros(0, 3, 3), (5, 7)).shape == (0, 5, 7)


def test_min_max_normalize_spreads_the_positive_part_over_the_unit_interval():
    cams = torch.tensor([[[-2.0, 1.0, 4.0]], [[2.0, 3.0, 4.0]]])
    expected = torch.tensor([[[0.0, 0.25, 1.0]], [[0.0, 0.5, 1.0]]])
    assert_close(min_max_normalize(cams), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize('value', [-1.0, 0.0, 5.0, 1e-6])
def test_min_max_normalize_of_a_constant_map_is_zero_with_finite_gradients(value):
    cams = torch.full((1, 2, 2), value, requires_grad=True)
    normalized = min_max_normalize(cams)
    normalized.sum().backward()
    assert normalized.abs().max() == 0
    assert cams.grad.abs().max() == 0


def test_min_max_normalize_of_published_maps(oracle):
    data = oracle('aeft_max_norm')
    for k in range(int(data['num_cases'])):
        cams = torch.from_numpy(data[f'c{k}_x']).requires_grad_()
        normalized = min_max_normalize(cams)
        (normalized * torch.from_numpy(data[f'c{k}_r'])).sum().backward()
        assert_close(normalized, torch.from_numpy(data[f'c{k}_y']), rtol=0, atol=1e-6)
        assert_close(cams.grad, torch.from_numpy(data[f'c{k}_grad_x']), rtol=0, atol=2e-6)


def test_maps_that_are_never_rectified_keep_their_sign():
    score_map = torch.tensor([[[-1.0, 1.0]]])
    raw = activation_maps(score_map, (1, 3), align_corners=True, rectify='never')
    assert_close(raw, torch.tensor([[[-1.0, 0.0, 1.0]]]))


def test_a_square_root_of_maps_that_are_never_rectified_is_refused():
    with pytest.raises(ValueError, match="'before_resize', got 'never'"):
        activation_maps(torch.zeros(1, 2, 2), (2, 2), rectify='never', square_root=True)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [(13, 17), (3, 2), (5, 7), (1, 1)])
def test_the_mean_of_resized_maps_needs_no_resize(rng, size, align_corners):
    maps = torch.randn(2, 3, 5, 7, generator=rng)
    expected = torch.nn.functional.interpolate(
        maps, size, mode='bilinear', align_corners=align_corners
    ).mean(dim=(2, 3))
    assert_close(resized_mean(maps, size, align_corners=align_corners), expected)


def test_a_resize_weights_positions_by_the_pixels_near_them():
    # Five pixels from two positions, corners aligned: 0, 1/4, 1/2, 3/4, 1 of the way.
    assert_close(
        resized_mean(torch.tensor([[0.0, 4.0]]), (1, 5), align_corners=True), torch.tensor(2.0)
    )
    peak = torch.tensor([[0.0, 1.0, 0.0]])
    assert_close(resized_mean(peak, (1, 5), align_corners=True), torch.tensor(2 / 5))


def test_views_of_logits_become_the_probability_of_their_mean(sample_with_cams):
    views = tuple(sample_with_cams(torch.tensor([[[z, -3.0]]])) for z in (1.0, 2.0))
    for view, mean in zip(views, (0.5, -1.5), strict=True):
        view.threshold_logit = torch.tensor([mean, 0.0])
    (merged,) = two_maps_a_view().merge_preds([views])
    assert_close(merged.cams, torch.tensor([[[3 / 4, -6 / 4]]]).sigmoid())
    assert merged.threshold_logit.tolist() == [-0.5, 0]


def two_maps_a_view(**options):
    module = dict(type='StoredCAMs', folder='')
    model = MultiScaleCAM(module, **{'merge': 'mean_sigmoid', **options})
    model.module.maps_per_view = 2
    return model


def test_views_without_thresholds_merge_without_them(sample_with_cams):
    (merged,) = two_maps_a_view().merge_preds([(sample_with_cams(torch.zeros(1, 2, 2)),)])
    assert 'threshold_logit' not in merged


def test_no_class_merges_to_no_map(sample_with_cams):
    views = (sample_with_cams(torch.zeros(0, 2, 3)),) * 2
    (merged,) = two_maps_a_view().merge_preds([views])
    assert merged.cams.shape == (0, 2, 3)


def test_an_unknown_merge_is_refused():
    with pytest.raises(ValueError, match="got 'max'"):
        two_maps_a_view(merge='max')
