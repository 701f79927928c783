import math
import sys
from collections import OrderedDict

import pytest
import torch
from reference.random_walk import dense_affinities, dense_walk
from torch.testing import assert_close

from mmwsss.affinity import random_walk, stencil_mask
from mmwsss.affinity.random_walk import chebyshev_coefficients

PSA = dict(radius=5, beta=8, log_steps=8)


def stencil_maps(from_cells, size):
    """Affinities (K, Nf) of the cells with all neighbours, as zero-filled maps (1, K, h, w)."""
    values = torch.from_numpy(from_cells)
    maps = values.new_zeros(1, len(values), *size)
    mask = stencil_mask(size, radius=5, official_border=True)
    maps[0, mask] = values.flatten()
    return maps


@pytest.fixture(params=['c0', 'c1'])
def case(request, oracle):
    """Reference values of one image, and its start scores and affinities as maps."""
    values = oracle('psa_random_walk')
    case = {k[3:]: torch.from_numpy(v) for k, v in values.items() if k.startswith(request.param)}
    size = tuple(case['map_size'].tolist())
    assert [int(values[k]) for k in ('beta', 'logt')] == [PSA['beta'], PSA['log_steps']]
    return case, case['M'].view(1, -1, *size), stencil_maps(values[f'{request.param}_aff'], size)


def random_maps(rng, batch, rows, height, width, *, radius, dtype=torch.float64):
    """Scores, and affinities of which some lead out of the grid: those must not be read."""
    offsets = len(stencil_mask((1, 1), radius=radius))
    scores = torch.rand(batch, rows, height, width, generator=rng, dtype=dtype)
    return scores, torch.rand(batch, offsets, height, width, generator=rng, dtype=dtype)


# Numbers to check by hand


def test_a_step_is_the_mean_of_a_cell_and_its_neighbours_weighted_by_affinity():
    affinities = torch.zeros(1, 4, 1, 3)  # offsets (0,1), (1,-1), (1,0), (1,1)
    affinities[0, 0, 0, 0] = 0.5  # between the first cell and the second; nothing to the third
    scores = torch.tensor([[[[6.0, 0.0, 7.0]]]])
    walked = random_walk(scores, affinities, radius=2, beta=1, log_steps=0)
    assert_close(walked, torch.tensor([[[[4.0, 2.0, 7.0]]]]))


def test_beta_is_a_power_of_the_affinities():
    affinities = torch.zeros(1, 4, 2, 1)
    affinities[0, 2, 0, 0] = 0.5  # downwards
    scores = torch.tensor([[[[5.0], [0.0]]]])
    walked = random_walk(scores, affinities, radius=2, beta=2, log_steps=0)
    assert_close(walked, torch.tensor([[[[4.0], [1.0]]]]))


def test_two_cells_with_full_affinity_share_their_score_for_good():
    affinities = torch.ones(1, 4, 1, 2)
    scores = torch.tensor([[[[1.0, 0.0]], [[0.0, 0.5]]]])
    walked = random_walk(scores, affinities, radius=2, beta=8, log_steps=4)
    assert_close(walked, torch.tensor([[[[0.5, 0.5]], [[0.25, 0.25]]]]))


@pytest.mark.parametrize(
    ('power', 'expected'),
    [(1, (0, 1)), (2, (0.5, 0, 0.5)), (3, (0, 0.75, 0, 0.25)), (4, (0.375, 0, 0.5, 0, 0.125))],
)
def test_small_powers_have_the_coefficients_of_the_textbook(power, expected):
    assert chebyshev_coefficients(power, torch.float64) == pytest.approx(expected, abs=1e-16)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('power', [1, 2, 16, 255, 256, 4096])
def test_the_polynomial_is_the_power_to_rounding(power, dtype):
    coefficients = chebyshev_coefficients(power, dtype)
    x = torch.linspace(-1, 1, 501, dtype=torch.float64)
    value = sum(c * torch.cos(j * torch.acos(x)) for j, c in enumerate(coefficients))
    assert_close(value, x**power, rtol=0, atol=max(torch.finfo(dtype).eps / 4, 1e-14))


def test_coefficients_are_the_probabilities_of_a_walk_of_as_many_steps():
    coefficients = chebyshev_coefficients(256, torch.float64)
    assert len(coefficients) - 1 == 140
    expected = [math.comb(256, 128 - j // 2) / 2**255 for j in range(2, 141, 2)]
    assert coefficients[2::2] == pytest.approx(expected, rel=1e-12, abs=1e-16)
    assert not any(coefficients[1::2])


# Dense matrices


@pytest.mark.parametrize('log_steps', [0, 1, 4, 8])
@pytest.mark.parametrize(('size', 'radius'), [((7, 9), 5), ((6, 5), 3), ((4, 11), 2)])
def test_walk_equals_powers_of_the_dense_matrix(rng, size, radius, log_steps):
    scores, affinities = random_maps(rng, 1, 3, *size, radius=radius)
    dense = dense_affinities(affinities[0], radius)
    expected = dense_walk(scores[0].flatten(1), dense, 3, log_steps)
    walked = random_walk(scores, affinities, radius=radius, beta=3, log_steps=log_steps)
    assert_close(walked[0].flatten(1), expected, rtol=0, atol=1e-12)


def test_walk_in_double_precision_matches_the_oracle(case):
    values, scores, affinities = case
    walked = random_walk(scores.double(), affinities, **PSA)
    assert_close(walked[0].flatten(1), values['rw64'], rtol=0, atol=1e-10)


def test_walk_in_single_precision_matches_the_oracles(case):
    values, scores, affinities = case
    walked = random_walk(scores, affinities, **PSA)[0].flatten(1)
    assert walked.dtype == torch.float32
    assert_close(walked, values['rw'], rtol=0, atol=5e-5)
    assert_close(walked.double(), values['rw64'], rtol=0, atol=5e-5)


# Edges


def test_a_cell_without_neighbours_keeps_its_scores(rng):
    scores, affinities = random_maps(rng, 1, 2, 9, 12, radius=5)
    mask = stencil_mask((9, 12), radius=5, official_border=True)
    walked = random_walk(scores, affinities * mask, **PSA)
    assert_close(walked[..., 0, :4], scores[..., 0, :4], rtol=0, atol=1e-14)
    assert not torch.allclose(walked[..., 4, 4], scores[..., 4, 4])


@pytest.mark.parametrize('size', [(1, 1), (3, 70), (70, 3), (1, 5)])
def test_without_any_pair_nothing_moves(rng, size):
    scores, affinities = random_maps(rng, 1, 3, *size, radius=5)
    affinities *= stencil_mask(size, radius=5, official_border=True)
    assert_close(random_walk(scores, affinities, **PSA), scores, rtol=0, atol=1e-14)


def test_maps_narrower_than_the_radius_equal_the_dense_walk(rng):
    scores, affinities = random_maps(rng, 1, 2, 3, 8, radius=5)
    expected = dense_walk(scores[0].flatten(1), dense_affinities(affinities[0], 5), 8, 8)
    walked = random_walk(scores, affinities, **PSA)
    assert_close(walked[0].flatten(1), expected, rtol=0, atol=1e-12)


def test_a_row_of_zeros_stays_zero(rng):
    scores, affinities = random_maps(rng, 1, 3, 8, 9, radius=5, dtype=torch.float32)
    scores[0, 1] = 0
    walked = random_walk(scores, affinities, **PSA)
    assert not walked[0, 1].any()
    assert walked[0, [0, 2]].all()


def test_a_constant_stays_constant_and_no_score_leaves_the_range_of_its_row(rng):
    scores, affinities = random_maps(rng, 1, 2, 8, 9, radius=5, dtype=torch.float32)
    scores[0, 0] = 0.3
    scores[0, 1, 2:] = 0
    walked = random_walk(scores, affinities**3, **PSA)
    assert torch.equal(walked[0, 0], scores[0, 0])
    assert walked[0, 1].min() >= 0


def test_a_batch_equals_its_images_one_by_one(rng):
    scores, affinities = random_maps(rng, 2, 3, 7, 6, radius=5)
    together = random_walk(scores, affinities, **PSA)
    for i in range(2):
        alone = random_walk(scores[i : i + 1], affinities[i : i + 1], **PSA)
        assert_close(together[i : i + 1], alone, rtol=0, atol=1e-14)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.uint8])
def test_scores_of_other_types_are_walked_in_single_precision(rng, dtype):
    scores, affinities = random_maps(rng, 1, 2, 6, 7, radius=5)
    scores = (4 * scores).to(dtype)
    walked = random_walk(scores, affinities, **PSA)
    assert walked.dtype == torch.float32
    assert torch.equal(walked, random_walk(scores.float(), affinities, **PSA))


def test_inputs_are_left_as_they_are(rng):
    scores, affinities = random_maps(rng, 1, 2, 6, 7, radius=5)
    copies = scores.clone(), affinities.clone()
    random_walk(scores, affinities, **PSA)
    assert torch.equal(scores, copies[0])
    assert torch.equal(affinities, copies[1])


def test_scores_that_are_views_of_other_maps_give_the_same(rng):
    scores, affinities = random_maps(rng, 1, 2, 6, 7, radius=5)
    strided = scores.mT.contiguous().mT
    assert_close(random_walk(strided, affinities, **PSA), random_walk(scores, affinities, **PSA))


# Mistakes


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused(rng, value):
    scores, affinities = random_maps(rng, 1, 2, 6, 7, radius=5)
    scores[0, 1, 2, 3] = value
    with pytest.raises(ValueError, match='class activation maps'):
        random_walk(scores, affinities, **PSA)


@pytest.mark.parametrize('value', [math.nan, math.inf, -0.1])
def test_affinities_that_are_none_are_refused(rng, value):
    scores, affinities = random_maps(rng, 1, 2, 6, 7, radius=5)
    affinities[0, 1, 2, 3] = value
    with pytest.raises(ValueError, match='checkpoint'):
        random_walk(scores, affinities, **PSA)


def test_affinities_of_another_radius_are_refused(rng):
    scores, affinities = random_maps(rng, 1, 2, 6, 7, radius=3)
    with pytest.raises(ValueError, match=r'radius 5, affinities \(1, 34, 6, 7\)'):
        random_walk(scores, affinities, **PSA)


@pytest.mark.parametrize('options', [dict(beta=0), dict(beta=-1), dict(log_steps=-1)])
def test_options_out_of_range_are_refused(rng, options):
    scores, affinities = random_maps(rng, 1, 2, 6, 7, radius=5)
    with pytest.raises(ValueError, match='beta must be'):
        random_walk(scores, affinities, **{**PSA, **options})


def test_patterns_used_last_are_kept_up_to_a_limit(rng, monkeypatch):
    module = sys.modules['mmwsss.affinity.random_walk']  # its function has the same name
    monkeypatch.setattr(module, '_patterns', OrderedDict())
    monkeypatch.setattr(module, '_MOST_BYTES', 25_000)  # two of these have up to 24 840
    for width in (6, 7, 6, 8):
        random_walk(*random_maps(rng, 1, 2, 5, width, radius=5), **PSA)
    assert [key[2] for key in module._patterns] == [6, 8]
