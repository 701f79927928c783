import pytest
import torch
from reference import semantic_aggregation as reference
from torch.testing import assert_close

from mmwsss.models.contexts import ProjectedAggregation, folded_aggregation


def layers_of(context):
    parts = context.projections
    modules = [parts.query, parts.key, parts.value, parts.output]
    return [(module.weight.flatten(1), module.bias) for module in modules]


def relative_error(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def test_published_values_and_gradient(oracle, cases_of):
    data = oracle('rca_aggregation')
    per_class = int(data['clusters_per_class'])
    for values in cases_of('rca_aggregation'):
        x = values['x'].requires_grad_()
        num_classes = len(values['centres']) // per_class
        context = ProjectedAggregation(x.shape[1], num_classes, centroids=per_class)
        assert context.scale == data['scale']
        parts = context.projections
        layers = dict(q=parts.query, k=parts.key, v=parts.value, aggre=parts.output)
        for name, layer in {**layers, 'concat': context.reduction}.items():
            layer.weight.data.copy_(values[f'{name}_weight'])
            layer.bias.data.copy_(values[f'{name}_bias'])
        context.set_centroids(
            values['centres'].view(num_classes, per_class, -1), torch.ones_like(context.valid)
        )
        projected, _ = context(x)
        (values['r'] * projected).sum().backward()
        assert relative_error(context.aggregate(x), values['aggregated']) <= 1e-5
        assert relative_error(projected, values['projected']) <= 1e-5
        assert relative_error(x.grad, values['grad_x']) <= 1e-5


def test_folded_aggregation_of_hand_made_centroids():
    keys, values = torch.tensor([[1.0, 0.0], [9.0, 9.0]]), torch.tensor([[2.0, 3.0], [9.0, 9.0]])
    matrix = folded_aggregation(keys, values, torch.tensor([True, False]), scale=2.0)
    assert matrix.tolist() == [[4, 0], [6, 0]]


def test_aggregated_features_and_gradients_are_those_of_all_affinities(rng, build_context):
    context = build_context(ProjectedAggregation)
    x = torch.randn(2, 6, 3, 4, generator=rng).requires_grad_()
    upstream = torch.randn(2, 6, 3, 4, generator=rng)
    found = context.aggregate(x)
    expected = reference.aggregated(
        x,
        context.centroids[context.valid],
        softmax=False,
        scale=3 / 4,  # three classes with four centroids
        layers=layers_of(context),
    )
    assert_close(found, expected, rtol=1e-4, atol=1e-5)
    leaves = [x, *context.projections.parameters()]
    assert_close(
        torch.autograd.grad(found, leaves, upstream),
        torch.autograd.grad(expected, leaves, upstream),
        rtol=1e-4,
        atol=1e-5,
    )


def test_without_a_valid_centroid_the_summary_is_the_bias(rng, build_context):
    context = build_context(ProjectedAggregation, fill=False)
    summary = context.aggregate(torch.randn(1, 6, 3, 4, generator=rng))
    assert_close(summary, context.projections.output.bias.view(1, 6, 1, 1).expand(1, 6, 3, 4))


def test_the_classifier_sees_a_convolution_of_features_and_their_summary(rng, build_context):
    context = build_context(ProjectedAggregation)
    x = torch.randn(2, 6, 3, 4, generator=rng)
    assert context.out_channels == 6
    expected = context.reduction(torch.cat([x, context.aggregate(x)], dim=1))
    assert_close(context(x)[0], expected)


def test_the_coarse_map_has_three_convolutions_before_it(build_context):
    coarse = build_context(ProjectedAggregation).coarse
    kernels = [layer.kernel_size for layer in coarse if hasattr(layer, 'kernel_size')]
    assert kernels == [(3, 3), (3, 3), (3, 3), (1, 1)]
    assert all(layer.bias is not None for layer in coarse if hasattr(layer, 'bias'))


def test_centroids_start_as_noise_that_takes_part(rng):
    torch.manual_seed(0)
    context = ProjectedAggregation(64, 3)
    assert context.valid.all()
    assert context.centroids.std().item() == pytest.approx(1, abs=0.1)
    assert context.aggregate(torch.randn(1, 64, 2, 2, generator=rng)).abs().min() > 0


def test_sums_beyond_half_precision_stay_finite_until_they_are_scored(rng, build_context):
    context = build_context(ProjectedAggregation)
    context.set_centroids(1e4 * context.centroids, context.valid)
    x = torch.randn(2, 6, 3, 4, generator=rng)
    expected, _ = context(x)
    with torch.autocast('cpu', dtype=torch.float16):
        half = torch.nn.functional.conv2d(x, torch.eye(6)[..., None, None])
        enriched, _ = context(half)
    assert context.aggregate(x).half().isinf().any()  # what the classifier would have seen
    assert enriched.dtype == torch.float32
    assert relative_error(enriched, expected) <= 1e-2
