import json
import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmwsss.models.heads import BoundaryHead
from mmwsss.registry import MODELS


def wave(number, shape, phase):
    """sin(0.01 (i mod 9973)^2 + number + phase) for element i."""
    squares = np.arange(9973, dtype=np.int64) ** 2
    return np.resize(np.sin(0.01 * squares + (number + phase)), shape)


def closed_form(name, number, shape, phase):
    values = wave(number, shape, phase)
    if len(shape) > 1:
        values = 2 / math.sqrt(math.prod(shape[1:])) * values
    elif name.endswith('weight'):
        values = 1 + 0.2 * values
    else:
        values = 0.1 * values
    return torch.from_numpy(values.astype(np.float32))


def own_name(name):
    """Name in the head for a published parameter of the boundary branch; None for others."""
    layer, rest = name.split('.', 1)
    if layer == 'fc_edge6':
        return f'fusion.{rest}'
    if not layer.startswith('fc_edge'):
        return None
    part, kind = rest.split('.')
    return f'branches.{int(layer[-1]) - 1}.{["conv", "norm"][int(part)]}.{kind}'


def published_head(arrays):
    head = BoundaryHead()
    state = {}
    for number, name in enumerate(arrays['param_names'].tolist()):
        shape = json.loads(str(arrays['param_shapes'][number]))
        if own := own_name(name):
            state[own] = closed_form(name, number, shape, arrays['phase'])
            first = np.zeros(4, dtype=np.float32)
            first[: state[own].numel()] = state[own].flatten()[:4]
            np.testing.assert_allclose(first, arrays['weight_head'][number], rtol=1e-6)
    head.load_state_dict(state)
    return head


def closed_form_taps(arrays, case):
    taps = []
    for t, shape in enumerate(arrays[f'c{case}_tap_shapes'].tolist()):
        tap = wave(1000 + 10 * case + t, shape, arrays['phase']).clip(0).astype(np.float32)
        np.testing.assert_allclose(
            tap.flatten()[1000:1008], arrays[f'c{case}_tap_head'][t], atol=1e-6
        )
        taps.append(torch.from_numpy(tap))
    return tuple(taps)


@pytest.mark.parametrize('case', [0, 1])
def test_meets_the_published_logits_and_gradients(oracle, case):
    arrays = oracle('irn_heads')
    assert case < arrays['num_cases']
    get = lambda key: torch.from_numpy(arrays[f'c{case}_{key}'])  # noqa: E731
    head, taps = published_head(arrays), closed_form_taps(arrays, case)
    for i, (branch, tap) in enumerate(zip(head.branches, taps, strict=True), 1):
        enlarged = branch(tap)
        assert enlarged.shape == tuple(get(f'shape_fc_edge{i}'))
        assert_close(
            enlarged.mean(dim=(0, 2, 3)).detach(), get(f'mean_fc_edge{i}'), rtol=0, atol=2e-5
        )
    logits = head(taps)
    assert_close(logits.detach(), get('edge_logit'), rtol=0, atol=2e-5)
    (logits * get('r_edge')).sum().backward()
    compared = 0
    for name in arrays['param_names'].tolist():
        if (own := own_name(name)) and f'c{case}_grad_{name}' in arrays:
            expected = get(f'grad_{name}')
            found = head.get_parameter(own).grad
            assert_close(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())
            compared += 1
    assert compared == 4


def small_head(**options):
    return MODELS.build(
        dict(type='BoundaryHead', in_channels=(3, 5), scales=(1, 2), channels=8, **options)
    )


@pytest.mark.parametrize('size', [(1, 1), (5, 8), (7, 6)])
def test_enlarged_maps_are_cut_to_the_first(rng, size):
    smaller = [-(-side // 2) for side in size]
    feats = torch.rand(2, 3, *size, generator=rng), torch.rand(2, 5, *smaller, generator=rng)
    logits = small_head()(feats)
    assert logits.shape == (2, 1, *size)
    assert logits.isfinite().all()


def test_an_enlarged_map_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match=r'\(4, 4\), smaller than the first, \(8, 4\)'):
        small_head()((torch.ones(1, 3, 8, 4), torch.ones(1, 5, 2, 2)))


def test_another_number_of_feature_maps_is_refused():
    with pytest.raises(ValueError, match='for 2 feature maps, but the backbone gives 1'):
        small_head()((torch.ones(1, 3, 8, 4),))


@pytest.mark.parametrize('scales', [(1,), (2, 1)])
def test_scales_that_do_not_fit_are_refused(scales):
    with pytest.raises(ValueError, match='1 as the first scale'):
        BoundaryHead((3, 5), scales)
