import math

import pytest
import torch
from mmseg.structures import SegDataSample
from reference import semantic_aggregation as reference
from torch.testing import assert_close

from mmwsss.models.contexts import SemanticAggregation, folded_aggregation, softmax_aggregation
from mmwsss.registry import MODELS

EVERY_FORM = [
    dict(affinity=affinity, projections=projections)
    for affinity in ('softmax', 'scaled')
    for projections in (False, True)
]


def build(in_channels=6, num_classes=3, *, fill=True, seed=0, **options):
    """Context with random weights and two of four centroids valid a class, unless told not to."""
    torch.manual_seed(seed)
    context = SemanticAggregation(in_channels, num_classes, centroids=4, **options)
    for parameter in context.parameters():
        parameter.data.normal_(std=0.3)
    if fill:
        valid = torch.zeros(num_classes, 4, dtype=torch.bool)
        valid[:, :2] = True
        context.set_centroids(torch.randn(num_classes, 4, in_channels), valid)
    return context


def layers_of(context):
    parts = context.projections
    if parts is None:
        return None
    modules = [parts.query, parts.key, parts.value, parts.output]
    return [(module.weight.flatten(1), module.bias) for module in modules]


def relative_error(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def test_the_published_form_meets_the_published_values_and_gradient(oracle):
    data = {name: torch.from_numpy(array) for name, array in oracle('rca_aggregation').items()}
    per_class = int(data['clusters_per_class'])
    for case in range(int(data['num_cases'])):
        values = {k.split('_', 1)[1]: v for k, v in data.items() if k.startswith(f'c{case}_')}
        x = values['x'].requires_grad_()
        channels, num_classes = x.shape[1], len(values['centres']) // per_class
        options = dict(centroids=per_class, affinity='scaled', projections=True)
        context = SemanticAggregation(channels, num_classes, reduce=channels, **options)
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


def test_softmax_aggregation_of_hand_made_features():
    # Products with the two centroids are 0 and log 3 at the first position: weights 1/4 and 3/4.
    feats = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]]).view(1, 2, 1, 2)
    centroids = torch.tensor([[0.0, 4.0], [1.0, 8.0], [50.0, 50.0]])
    valid = torch.tensor([True, True, False])
    found = softmax_aggregation(feats, centroids, centroids, valid, scale=1.0)
    assert_close(found.view(2, 2), torch.tensor([[0.75, 0.5], [7.0, 6.0]]))


def test_folded_aggregation_of_hand_made_centroids():
    keys, values = torch.tensor([[1.0, 0.0], [9.0, 9.0]]), torch.tensor([[2.0, 3.0], [9.0, 9.0]])
    matrix = folded_aggregation(keys, values, torch.tensor([True, False]), scale=2.0)
    assert matrix.tolist() == [[4, 0], [6, 0]]


@pytest.mark.parametrize('options', EVERY_FORM)
def test_aggregated_features_and_gradients_are_those_of_all_affinities(rng, options):
    context = build(scale=0.7, **options)
    x = torch.randn(2, 6, 3, 4, generator=rng).requires_grad_()
    upstream = torch.randn(2, 6, 3, 4, generator=rng)
    found = context.aggregate(x)
    expected = reference.aggregated(
        x,
        context.centroids[context.valid],
        softmax=options['affinity'] == 'softmax',
        scale=0.7,
        layers=layers_of(context),
    )
    assert_close(found, expected, rtol=1e-4, atol=1e-5)
    leaves = [x, *([] if context.projections is None else context.projections.parameters())]
    assert_close(
        torch.autograd.grad(found, leaves, upstream),
        torch.autograd.grad(expected, leaves, upstream),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_classifier_sees_features_and_their_summary(rng):
    context = build()
    x = torch.randn(2, 6, 3, 4, generator=rng)
    enriched, parts = context(x)
    assert context.out_channels == 12
    assert_close(enriched, torch.cat([x, context.aggregate(x)], dim=1))
    assert parts['local_feats'] is x
    assert set(parts) == set(context.provides)


@pytest.mark.parametrize('affinity', ['softmax', 'scaled'])
def test_without_a_valid_centroid_the_summary_is_zero(rng, affinity):
    context = build(fill=False, affinity=affinity)
    x = torch.randn(1, 6, 3, 4, generator=rng).requires_grad_()
    summary = context.aggregate(x)
    summary.sum().backward()
    assert summary.abs().max() == 0
    assert x.grad.abs().max() == 0


@pytest.mark.parametrize('options', EVERY_FORM)
def test_every_parameter_has_a_gradient_before_there_are_centroids(rng, options):
    # A distributed run needs no search for unused parameters.
    context = build(fill=False, reduce=6, **options)
    enriched, parts = context(torch.randn(1, 6, 3, 4, generator=rng))
    (enriched.sum() + parts['coarse_map'].sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in context.parameters())


def test_one_class_with_one_centroid_is_its_own_mean(rng):
    context = SemanticAggregation(6, 1, centroids=1)
    centroid = torch.randn(1, 1, 6, generator=rng)
    context.set_centroids(centroid, torch.ones(1, 1, dtype=torch.bool))
    summary = context.aggregate(torch.randn(1, 6, 2, 2, generator=rng))
    assert_close(summary, centroid.view(1, 6, 1, 1).expand(1, 6, 2, 2))


def test_large_products_stay_finite(rng):
    context = build()
    x = 1e4 * torch.randn(1, 6, 3, 4, generator=rng).requires_grad_()
    summary = context.aggregate(x)
    (grad,) = torch.autograd.grad(summary.sum(), x)
    assert summary.isfinite().all()
    assert grad.isfinite().all()


def test_gradients_do_not_reach_the_centroids(rng):
    context = build(projections=True)
    context(torch.randn(1, 6, 3, 4, generator=rng))[0].sum().backward()
    assert not context.centroids.requires_grad
    assert context.centroids.grad is None
    assert {'centroids', 'valid'} <= dict(context.named_buffers()).keys()


def test_centroids_that_are_not_finite_are_not_valid(rng):
    context = build(fill=False)
    centroids = torch.ones(3, 4, 6)
    centroids[0, 1, 2], centroids[2, 0, 0] = float('nan'), float('inf')
    context.set_centroids(centroids, torch.ones(3, 4, dtype=torch.bool))
    assert context.valid.sum(dim=1).tolist() == [3, 4, 3]
    assert context.aggregate(torch.randn(1, 6, 2, 2, generator=rng)).isfinite().all()


def test_centroids_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r'Expected centroids \(3, 4, 6\) .* got \(3, 5, 6\)'):
        build().set_centroids(torch.zeros(3, 5, 6), torch.ones(3, 5, dtype=torch.bool))


def test_a_checkpoint_keeps_the_centroids(rng):
    context, restored = build(), build(fill=False)
    restored.load_state_dict(context.state_dict())
    x = torch.randn(1, 6, 3, 4, generator=rng)
    assert_close(restored.aggregate(x), context.aggregate(x))


@pytest.mark.parametrize('options', EVERY_FORM)
def test_channels_last_features_give_the_same_in_their_format(rng, options):
    context = build(**options)
    x = torch.randn(2, 6, 3, 4, generator=rng)
    expected, _ = context(x)
    found, parts = context.to(memory_format=torch.channels_last)(
        x.to(memory_format=torch.channels_last)
    )
    assert_close(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert parts['coarse_map'].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('options', EVERY_FORM)
def test_under_autocast_affinities_are_those_of_single_precision(rng, options):
    context = build(**options)
    x = torch.randn(2, 6, 3, 4, generator=rng).bfloat16()
    expected = context.aggregate(x.float())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert_close(context.aggregate(x), expected)
        enriched, _ = context(x)
    assert enriched.dtype == torch.bfloat16


def test_the_coarse_map_is_linear_by_default(rng):
    context = build()
    x = torch.randn(1, 6, 3, 4, generator=rng)
    expected = torch.einsum('kc,bchw->bkhw', context.coarse[0].weight.flatten(1), x)
    assert_close(context(x)[1]['coarse_map'], expected)


def test_the_published_coarse_map_has_convolutions_before_it(rng):
    context = build(coarse_convs=3)
    kernels = [layer.kernel_size for layer in context.coarse if hasattr(layer, 'kernel_size')]
    assert kernels == [(3, 3), (3, 3), (3, 3), (1, 1)]
    assert all(layer.bias is not None for layer in context.coarse if hasattr(layer, 'bias'))
    x = torch.randn(1, 6, 3, 4, generator=rng)
    assert context(x)[1]['coarse_map'].shape == (1, 3, 3, 4)


def test_reduced_features_have_the_channels_asked_for(rng):
    context = build(reduce=5)
    assert context.out_channels == 5
    assert context(torch.randn(1, 6, 3, 4, generator=rng))[0].shape == (1, 5, 3, 4)


@pytest.mark.parametrize(
    'options', [dict(affinity='cosine'), dict(centroids=0), dict(coarse_convs=-1), dict(scale=0)]
)
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ValueError, match='Expected'):
        SemanticAggregation(6, 3, **options)


def test_the_published_centroids_start_as_noise_that_takes_part(rng):
    context = build(64, 3, fill=False, official=True)
    assert context.valid.all()
    assert context.centroids.std().item() == pytest.approx(1, abs=0.1)
    assert context.aggregate(torch.randn(1, 64, 2, 2, generator=rng)).abs().min() > 0


def tagged_sample():
    sample = SegDataSample()
    sample.gt_score = torch.tensor([1.0, 0, 1])
    return sample


def test_a_classifier_learns_from_both_class_maps():
    model = MODELS.build(
        dict(
            type='CAMClassifier',
            backbone=dict(type='ResNet', depth=18, base_channels=4),
            head=dict(
                type='CAMHead',
                in_channels=64,
                num_classes=3,
                context=dict(type='SemanticAggregation', in_channels=32, num_classes=3),
                pooling=dict(type='GlobalAveragePooling'),
            ),
            objectives=[
                dict(type='MultiLabelSoftMargin'),
                dict(type='MultiLabelSoftMargin', part='coarse_map', loss_weight=0.4),
            ],
        )
    )
    losses = model.loss(torch.randn(2, 3, 64, 64), [tagged_sample(), tagged_sample()])
    assert set(losses) == {'loss_multi_label', 'loss_multi_label_coarse_map'}
    sum(losses.values()).backward()
    assert model.head.context.coarse[0].weight.grad.abs().max() > 0
