import math

import torch
from mmseg.structures import SegDataSample
from reference import semantic_aggregation as reference
from torch.testing import assert_close

from mmwsss.models.contexts import SemanticAggregation, softmax_aggregation
from mmwsss.models.contexts.semantic_aggregation import share_entropies
from mmwsss.registry import MODELS


def test_softmax_aggregation_of_hand_made_features():
    # Products with the two centroids are 0 and log 3 at the first position: weights 1/4 and 3/4.
    feats = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]]).view(1, 2, 1, 2)
    centroids = torch.tensor([[0.0, 4.0], [1.0, 8.0], [50.0, 50.0]])
    found = softmax_aggregation(feats, centroids, torch.tensor([True, True, False]))
    assert_close(found.view(2, 2), torch.tensor([[0.75, 0.5], [7.0, 6.0]]))


def test_aggregated_features_and_gradients_are_those_of_all_affinities(rng, build_context):
    context = build_context(SemanticAggregation)
    x = torch.randn(2, 6, 3, 4, generator=rng).requires_grad_()
    upstream = torch.randn(2, 6, 3, 4, generator=rng)
    found = context.aggregate(x)
    expected = reference.aggregated(x, context.centroids[context.valid], softmax=True, scale=1.0)
    assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert_close(
        torch.autograd.grad(found, x, upstream),
        torch.autograd.grad(expected, x, upstream),
        rtol=1e-4,
        atol=1e-5,
    )


def test_positions_that_copy_different_centroids_differ_from_those_that_copy_the_same():
    own, same = torch.eye(2).view(1, 2, 1, 2), torch.tensor([[1.0, 1], [0, 0]]).view(1, 2, 1, 2)
    even = torch.full((1, 2, 1, 2), 0.5)
    found = [[value.item() for value in share_entropies(s).values()] for s in (own, same, even)]
    half = math.log(2)
    assert_close(torch.tensor(found), torch.tensor([[0, half], [0, 0], [half, half]]))


def test_long_features_copy_one_centroid_and_a_training_says_so(rng, build_context):
    context = build_context(SemanticAggregation)
    x = torch.randn(2, 6, 3, 4, generator=rng)
    entropies = []
    for scale in (0.01, 100.0):
        context.train().aggregate(scale * x)
        entropies.append(context.diagnostics['aggregation_entropy'].item())
    assert entropies[0] > 0.9 * math.log(context.valid.sum().item())
    assert entropies[1] < 0.05
    context.diagnostics = {}
    context.eval().aggregate(x)
    assert context.diagnostics == {}


def test_the_classifier_sees_features_and_their_summary(rng, build_context):
    context = build_context(SemanticAggregation)
    x = torch.randn(2, 6, 3, 4, generator=rng)
    assert context.out_channels == 12
    assert_close(context(x)[0], torch.cat([x, context.aggregate(x)], dim=1))


def test_without_a_valid_centroid_the_summary_is_zero(rng):
    context = SemanticAggregation(6, 3)
    x = torch.randn(1, 6, 3, 4, generator=rng).requires_grad_()
    summary = context.aggregate(x)
    summary.sum().backward()
    assert summary.abs().max() == 0
    assert x.grad.abs().max() == 0


def test_one_class_with_one_centroid_is_its_own_mean(rng):
    context = SemanticAggregation(6, 1, centroids=1)
    centroid = torch.randn(1, 1, 6, generator=rng)
    context.set_centroids(centroid, torch.ones(1, 1, dtype=torch.bool))
    summary = context.aggregate(torch.randn(1, 6, 2, 2, generator=rng))
    assert_close(summary, centroid.view(1, 6, 1, 1).expand(1, 6, 2, 2))


def test_large_products_stay_finite(rng, build_context):
    context = build_context(SemanticAggregation)
    x = 1e4 * torch.randn(1, 6, 3, 4, generator=rng).requires_grad_()
    summary = context.aggregate(x)
    (grad,) = torch.autograd.grad(summary.sum(), x)
    assert summary.isfinite().all()
    assert grad.isfinite().all()


def test_the_coarse_map_is_linear(rng, build_context):
    context = build_context(SemanticAggregation)
    x = torch.randn(1, 6, 3, 4, generator=rng)
    expected = torch.einsum('kc,bchw->bkhw', context.coarse[0].weight.flatten(1), x)
    assert_close(context(x)[1]['coarse_map'], expected)


def tagged_sample():
    sample = SegDataSample()
    sample.gt_score = torch.tensor([1.0, 0, 1])
    return sample


def test_a_classifier_learns_from_both_class_maps(tiny_classifier):
    objective = dict(type='MultiLabelSoftMargin')
    model = MODELS.build(
        tiny_classifier(
            objective,
            dict(objective, part='coarse_map', loss_weight=0.4),
            num_classes=3,
            in_channels=64,
            context=dict(type='SemanticAggregation', in_channels=32, num_classes=3),
        )
    )
    losses = model.loss(torch.randn(2, 3, 64, 64), [tagged_sample(), tagged_sample()])
    assert set(losses) == {'loss_multi_label', 'loss_multi_label_coarse_map'}
    sum(losses.values()).backward()
    assert model.head.context.coarse[0].weight.grad.abs().max() > 0
