import math

import pytest
import torch
from mmseg.structures import SegDataSample
from reference import gated_pyramid_pooling as reference
from torch.testing import assert_close

from mmwsss.models.poolings.gated_pyramid_pooling import (
    gated_pyramid,
    pyramid_level,
    sign_preserving_gate,
    signed_aggregation,
)
from mmwsss.registry import MODELS


def build(num_classes=2, **options):
    return MODELS.build(dict(type='GatedPyramidPooling', num_classes=num_classes, **options))


def random_weights(rng, num_classes, num_gates, dtype=torch.float32):
    size = (num_gates, 2, 2, 2 * num_classes, 3, 3)
    return [tuple(pair) for pair in torch.randn(size, generator=rng, dtype=dtype) / 4]


def tagged(tags):
    sample = SegDataSample()
    sample.gt_score = torch.tensor(tags)
    return sample


def test_a_level_has_the_means_of_its_cells_between_their_centres():
    # Cells (1+3)/2 and (5+7)/2 with centres between the first and the last two columns.
    row = torch.tensor([1.0, 3.0, 5.0, 7.0]).expand(1, 1, 4, 4)
    assert_close(pyramid_level(row, 2)[0, 0, 0], torch.tensor([2.0, 3.0, 5.0, 6.0]))


def test_a_gate_halves_the_mean_when_its_weights_are_zero():
    # Sigmoids of 1/2: positive (4 + 2)/4, mixed 4/4 - 2/4, negative -(4 + 2)/4.
    x, y = torch.tensor([[[[4.0, 4.0, -4.0]]], [[[2.0, -2.0, -2.0]]]])
    zero = torch.zeros(2, 2, 3, 3)
    assert_close(
        sign_preserving_gate(x[None], y[None], zero, zero)[0, 0], torch.tensor([[1.5, 0.5, -1.5]])
    )


def test_positive_evidence_is_gated_by_the_positive_weights_alone(rng):
    x, y = torch.rand(2, 1, 1, 3, 3, generator=rng)
    positive, negative = torch.randn(2, 2, 2, 3, 3, generator=rng)
    zero = torch.zeros_like(negative)
    assert_close(
        sign_preserving_gate(x, y, positive, negative), sign_preserving_gate(x, y, positive, zero)
    )


def test_aggregation_counts_evidence_against_a_class_where_both_are_negative():
    scores = torch.tensor([[[[2.0, -3.0]], [[2.0, -3.0]]]])
    gated = torch.tensor([[[[0.5, -1.0]], [[-0.5, 1.0]]]])
    assert signed_aggregation(scores, gated).tolist() == [[(1.0 - 3.0) / 2, 0.0]]


@pytest.mark.parametrize('size', [(7, 5), (3, 3), (1, 1), (9, 12)])
def test_it_follows_its_formulas_on_maps_of_any_size(rng, size):
    # Levels of 16 cells are finer than any of these maps.
    score_map = torch.randn(2, 2, *size, generator=rng)
    weights = random_weights(rng, num_classes=2, num_gates=2)
    gated = gated_pyramid(score_map, weights, bins=(2, 4, 16))
    expected = reference.gated_map(score_map, weights, (2, 4, 16))
    assert_close(gated, expected, rtol=1e-5, atol=1e-6)
    logits = signed_aggregation(score_map, gated)
    assert_close(logits, reference.logits(score_map, expected), rtol=1e-5, atol=1e-6)


def test_published_maps_logits_and_gradients(cases_of):
    for case in cases_of('aeft_gpp'):
        score_map = case['cam'].requires_grad_()
        pooling = build(score_map.size(1))
        for m in range(3):
            pooling.positive_gates[m].weight.data = case[f'w{m + 1}_pos']
            pooling.negative_gates[m].weight.data = case[f'w{m + 1}_neg']
        pooled = pooling(score_map, score_map)
        (pooled.logits * case['r']).sum().backward()
        assert_close(pooled.parts['gated_map'], case['gpp'], rtol=0, atol=1e-5)
        assert_close(pooled.logits, case['logits'], rtol=0, atol=1e-6)
        assert_relative(score_map.grad, case['grad_cam'])
        for m in range(3):
            positive, negative = pooling.positive_gates[m], pooling.negative_gates[m]
            assert_relative(positive.weight.grad, case[f'grad_w{m + 1}_pos'])
            assert_relative(negative.weight.grad, case[f'grad_w{m + 1}_neg'])


def assert_relative(actual, expected, tolerance=1e-5):
    assert_close(actual, expected, rtol=0, atol=tolerance * expected.abs().max().item())


def test_gradients_are_those_of_the_formulas(rng):
    score_map = torch.randn(1, 2, 5, 6, generator=rng, dtype=torch.double, requires_grad=True)
    weights = random_weights(rng, 2, 1, dtype=torch.double)
    leaves = [weight.requires_grad_() for weight in weights[0]]

    def logits(score_map, *weights):
        return signed_aggregation(score_map, gated_pyramid(score_map, [weights], bins=(2, 4)))

    assert torch.autograd.gradcheck(logits, (score_map, *leaves))


def test_fine_to_coarse_joins_the_levels_from_the_other_end(rng):
    score_map = torch.randn(1, 2, 6, 6, generator=rng)
    pooling = build(bins=(2, 4), order='fine_to_coarse')
    weights = [(pooling.positive_gates[0].weight, pooling.negative_gates[0].weight)]
    expected = gated_pyramid(score_map, weights, bins=(4, 2))
    assert_close(pooling.gated_map(score_map), expected)


def test_the_average_of_all_levels_has_no_gates(rng):
    score_map = torch.randn(1, 2, 6, 6, generator=rng)
    pooling = build(bins=(2, 3), order='average')
    expected = (pyramid_level(score_map, 2) + pyramid_level(score_map, 3)) / 2
    assert_close(pooling.gated_map(score_map), expected)
    assert not list(pooling.parameters())


def test_one_level_has_no_gate(rng):
    score_map = torch.randn(1, 2, 6, 6, generator=rng)
    assert_close(build(bins=(4,)).gated_map(score_map), pyramid_level(score_map, 4))


def test_targets_are_the_tags_and_scores_the_sigmoid_of_the_logits(rng):
    score_map = torch.randn(2, 2, 6, 6, generator=rng)
    pooling = build()
    pooled = pooling(score_map, score_map, [tagged([1.0, 0.0]), tagged([0.0, 1.0])])
    assert pooled.targets.tolist() == [[1, 0], [0, 1]]
    assert_close(pooling.image_scores(score_map), pooled.logits.sigmoid())


def test_without_samples_there_are_no_targets():
    score_map = torch.zeros(1, 2, 4, 4)
    assert build()(score_map, score_map).targets is None


def test_in_half_precision_products_do_not_overflow():
    score_map = torch.full((1, 2, 4, 4), 300.0, dtype=torch.float16)
    pooled = build(order='average')(score_map, score_map)
    assert_close(pooled.logits, torch.full((1, 2), 90000.0))


def test_gates_start_as_convolutions_of_pytorch_within_a_head():
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type='CAMHead',
            in_channels=4,
            num_classes=20,
            pooling=dict(type='GatedPyramidPooling', num_classes=20),
        )
    )
    head.init_weights()
    bound = 1 / math.sqrt(40 * 9)
    for gate in (*head.pooling.positive_gates, *head.pooling.negative_gates):
        assert 0.95 * bound < gate.weight.abs().max() <= bound
    assert head.classifier.weight.std() < 0.02
    assert head.provides == ('gated_map',)


@pytest.mark.parametrize('bins', [(), (0, 2), (4, 2), (2, 2)])
def test_levels_have_to_become_finer(bins):
    with pytest.raises(ValueError, match='bins'):
        build(bins=bins)


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match='order'):
        build(order='random')


def test_another_number_of_classes_is_explained():
    score_map = torch.zeros(1, 3, 4, 4)
    with pytest.raises(ValueError, match='num_classes=2'):
        build()(score_map, score_map)


def test_a_head_of_other_classes_is_refused_at_construction():
    pooling = dict(type='GatedPyramidPooling', num_classes=2)
    with pytest.raises(ValueError, match='CAMHead is 3, but its GatedPyramidPooling has num_class'):
        MODELS.build(dict(type='CAMHead', in_channels=6, num_classes=3, pooling=pooling))
