import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmwsss.affinity import stencil_affinities, stencil_mask, stencil_offsets
from mmwsss.models.heads import AffinityHead
from mmwsss.registry import MODELS

TAPS = ('a', 'b', 'c')


def published_head(get, norm_groups):
    weights = [get(f'w_{tap}') for tap in TAPS]
    head = AffinityHead(
        [weight.shape[1] for weight in weights],
        [weight.shape[0] for weight in weights],
        norm_groups=norm_groups,
    )
    state = {f'branches.{i}.conv.weight': weight for i, weight in enumerate(weights)}
    state['fusion.weight'] = get('w_out')
    if norm_groups is not None:
        for i, tap in enumerate(TAPS):
            for name in ('weight', 'bias'):
                state[f'branches.{i}.norm.{name}'] = get(f'gn_{tap}_{name}')
    head.load_state_dict(state)
    return head


def dense_matrix(affinities):
    """Matrix (hw, hw) of one image's stencil affinities (K, h, w), for the published pairs."""
    _, height, width = affinities.shape
    dense = torch.eye(height * width)
    exists = stencil_mask((height, width), radius=5, official_border=True).flatten(1)
    for k, (dy, dx) in enumerate(stencil_offsets(5)):
        first = exists[k].nonzero().squeeze(1)
        second = first + dy * width + dx
        dense[first, second] = dense[second, first] = affinities[k].flatten()[first]
    return dense


@pytest.mark.parametrize('case', [0, 1, 2])
def test_meets_the_published_features_affinities_and_gradients(oracle, case):
    data = oracle('psa_affinity')
    get = lambda key: torch.from_numpy(data[f'c{case}_{key}'])  # noqa: E731
    has_norm = f'c{case}_gn_a_groups' in data
    groups = [int(data[f'c{case}_gn_{tap}_groups']) for tap in TAPS] if has_norm else None
    taps = [get(f'tap_{tap}').requires_grad_() for tap in TAPS]

    feats = published_head(get, groups)(tuple(taps))
    feats.retain_grad()
    assert_close(feats.detach(), get('feat'), rtol=0, atol=2e-5)

    affinities = stencil_affinities(feats, radius=5)
    exists = stencil_mask(feats.shape[2:], radius=5, official_border=True)
    listed = affinities[:, exists].view(get('aff').shape)
    assert_close(listed.detach(), get('aff'), rtol=0, atol=2e-6)
    if f'c{case}_dense' in data:
        assert_close(dense_matrix(affinities[0].detach()), get('dense'), rtol=0, atol=2e-6)

    (listed * get('r')).sum().backward()
    grads = [get(f'grad_{name}') for name in ('feat', 'tap_a', 'tap_b', 'tap_c')]
    for leaf, expected in zip([feats, *taps], grads, strict=True):
        assert (leaf.grad - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_maps_of_other_sizes_are_resized_to_the_first(rng):
    head = AffinityHead((3, 4), (2, 2))
    head.init_weights()
    fine = torch.randn(1, 3, 6, 8, generator=rng)
    coarse = torch.randn(1, 4, 3, 4, generator=rng)
    resized = F.interpolate(coarse, (6, 8), mode='bilinear')
    assert_close(head((fine, coarse)), head((fine, resized)))


def test_the_last_convolution_has_larger_initial_weights():
    head = MODELS.build(dict(type='AffinityHead', in_channels=(64, 64), channels=(32, 32)))
    head.init_weights()
    bound = 4 * (6 / 128) ** 0.5  # Xavier, uniform
    largest = head.fusion.weight.abs().max()
    assert 0.9 * bound < largest <= bound
    for branch in head.branches:
        assert_close(branch.conv.weight.std().item(), (2 / 64) ** 0.5, rtol=0.1, atol=0)


def test_checkpoints_have_the_documented_names():
    names = set(AffinityHead((3, 4), (4, 6), norm_groups=(2, 3)).state_dict())
    branch = ('conv.weight', 'norm.weight', 'norm.bias')
    expected = {f'branches.{i}.{name}' for i in (0, 1) for name in branch}
    assert names == expected | {'fusion.weight'}


def test_the_defaults_are_those_of_the_wide_resnet():
    shapes = {name: tuple(p.shape[:2]) for name, p in AffinityHead().named_parameters()}
    assert shapes['branches.2.conv.weight'] == (256, 4096)
    assert shapes['fusion.weight'] == (448, 448)


@pytest.mark.parametrize('options', [dict(channels=(2,)), dict(norm_groups=(1,))])
def test_lengths_that_differ_are_refused(options):
    with pytest.raises(ValueError, match='of the same length'):
        AffinityHead((3, 4), **{'channels': (2, 2), **options})


def test_an_unexpected_number_of_maps_is_refused():
    with pytest.raises(ValueError, match='2 feature maps, but the backbone gives 3'):
        AffinityHead((3, 4), (2, 2))((torch.ones(1, 3, 2, 2),) * 3)
