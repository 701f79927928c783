import pytest
import torch
from torch.testing import assert_close

from mmwsss.models.contexts import ProjectedAggregation, SemanticAggregation

FORMS = pytest.mark.parametrize('kind', [SemanticAggregation, ProjectedAggregation])


@FORMS
def test_every_parameter_has_a_gradient_before_there_are_centroids(rng, build_context, kind):
    # A distributed run needs no search for unused parameters.
    context = build_context(kind, fill=False)
    enriched, parts = context(torch.randn(1, 6, 3, 4, generator=rng))
    (enriched.sum() + parts['coarse_map'].sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in context.parameters())


@FORMS
def test_gradients_do_not_reach_the_centroids(rng, build_context, kind):
    context = build_context(kind)
    context(torch.randn(1, 6, 3, 4, generator=rng).requires_grad_())[0].sum().backward()
    assert not context.centroids.requires_grad
    assert context.centroids.grad is None
    assert {'centroids', 'valid'} <= dict(context.named_buffers()).keys()


@FORMS
def test_the_parts_are_the_coarse_map_and_the_features(rng, build_context, kind):
    context = build_context(kind)
    x = torch.randn(2, 6, 3, 4, generator=rng)
    enriched, parts = context(x)
    assert enriched.shape == (2, context.out_channels, 3, 4)
    assert parts['coarse_map'].shape == (2, 3, 3, 4)
    assert parts['local_feats'] is x
    assert set(parts) == set(context.provides)


@FORMS
def test_channels_last_features_give_the_same_in_their_format(rng, build_context, kind):
    context = build_context(kind)
    x = torch.randn(2, 6, 3, 4, generator=rng)
    expected, _ = context(x)
    found, parts = context.to(memory_format=torch.channels_last)(
        x.to(memory_format=torch.channels_last)
    )
    assert_close(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert parts['coarse_map'].is_contiguous(memory_format=torch.channels_last)


@FORMS
def test_under_autocast_affinities_are_those_of_single_precision(rng, build_context, kind):
    context = build_context(kind)
    x = torch.randn(2, 6, 3, 4, generator=rng).bfloat16()
    expected = context.aggregate(x.float())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert_close(context.aggregate(x), expected)
        enriched, _ = context(x)
    assert enriched.dtype == torch.float32


@FORMS
def test_a_checkpoint_keeps_the_centroids(rng, build_context, kind):
    context, restored = build_context(kind), build_context(kind, fill=False)
    restored.load_state_dict(context.state_dict())
    x = torch.randn(1, 6, 3, 4, generator=rng)
    assert_close(restored.aggregate(x), context.aggregate(x))


def test_centroids_that_are_not_finite_are_not_valid(rng, build_context):
    context = build_context(SemanticAggregation, fill=False)
    centroids = torch.ones(3, 4, 6)
    centroids[0, 1, 2], centroids[2, 0, 0] = float('nan'), float('inf')
    context.set_centroids(centroids, torch.ones(3, 4, dtype=torch.bool))
    assert context.valid.sum(dim=1).tolist() == [3, 4, 3]
    assert context.aggregate(torch.randn(1, 6, 2, 2, generator=rng)).isfinite().all()


def test_centroids_of_another_shape_are_refused(build_context):
    context = build_context(SemanticAggregation)
    with pytest.raises(ValueError, match=r'Expected centroids \(3, 4, 6\) .* got \(3, 5, 6\)'):
        context.set_centroids(torch.zeros(3, 5, 6), torch.ones(3, 5, dtype=torch.bool))


@FORMS
def test_no_centroids_at_all_are_refused(kind):
    with pytest.raises(ValueError, match='Expected `centroids` to be at least 1, got 0'):
        kind(6, 3, centroids=0)
