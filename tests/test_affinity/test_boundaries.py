import pytest
import torch
from reference import path_affinity as reference
from reference.stencil_affinity import offsets, pairs
from torch.testing import assert_close

from mmwsss.affinity import boundary_affinities, random_walk, stencil_mask, stencil_offsets
from mmwsss.affinity.paths import path_cells


def listed_pairs(maps, order, size, radius):
    """Pairs of maps (B, K, h, w) in the published frame and its order of offsets, (B, K, Nf)."""
    mask = stencil_mask(size, radius=radius, official_border=True)
    return torch.stack([maps[:, k][:, mask[k]] for k in order], dim=1)


def published_order(radius):
    """Numbers of the offsets by increasing number of path cells."""
    lengths = [len(path_cells(offset)) for offset in stencil_offsets(radius)]
    return sorted(range(len(lengths)), key=lengths.__getitem__)


def test_meets_the_published_affinities_and_gradients(cases_of):
    for case in cases_of('irn_paths'):
        radius, size = int(case['radius']), tuple(case['size'].tolist())
        order = published_order(radius)
        assert [stencil_offsets(radius)[k] for k in order] == list(
            map(tuple, case['offsets'].tolist())
        )
        edge = case['edge'].unsqueeze(1).requires_grad_()
        affinities = listed_pairs(boundary_affinities(edge, radius=radius), order, size, radius)
        assert_close(affinities.detach(), case['aff'], rtol=0, atol=1e-6)
        (affinities * case['r']).sum().backward()
        assert_close(edge.grad[:, 0], case['grad_edge'], rtol=0, atol=1e-6)


@pytest.mark.parametrize('size', [(7, 9), (3, 4), (1, 6), (6, 1), (1, 1)])
@pytest.mark.parametrize('radius', [2, 5, 7])
def test_equals_the_loop_over_pairs(rng, size, radius):
    edge = torch.rand(2, 1, *size, generator=rng)
    expected = reference.affinities(edge, radius)
    assert_close(boundary_affinities(edge, radius=radius), expected, rtol=0, atol=0)


@pytest.mark.parametrize('radius', [3, 6, 10])
def test_values_and_gradients_equal_the_gather_form(rng, radius):
    size = (10, 11)
    edge = torch.randperm(2 * 10 * 11, generator=rng).double().view(2, 1, *size) / 220
    leaf, plain_leaf = edge.clone().requires_grad_(), edge.clone().requires_grad_()
    mask = stencil_mask(size, radius=radius)
    affinities = boundary_affinities(leaf, radius=radius)[:, mask]
    plain = reference.gathered_affinities(plain_leaf, radius)
    assert_close(affinities, plain)
    weights = torch.randn(plain.shape, generator=rng, dtype=torch.double)
    (affinities * weights).sum().backward()
    (plain * weights).sum().backward()
    assert_close(leaf.grad, plain_leaf.grad)


def test_without_boundaries_all_pairs_are_alike():
    affinities = boundary_affinities(torch.zeros(1, 1, 6, 7), radius=4)
    assert affinities[0].equal(stencil_mask((6, 7), radius=4).float())


def test_nothing_passes_a_closed_contour():
    edge = torch.zeros(1, 1, 12, 11)
    edge[..., 3:9, 2:8] = 1
    edge[..., 4:8, 3:7] = 0
    side = torch.zeros(12, 11)
    side[3:9, 2:8] = torch.nan  # the contour itself is on neither side
    side[4:8, 3:7] = 1
    side = side.flatten()
    listed = torch.tensor(pairs((12, 11), 5))
    first, second = side[listed[:, 1]], side[listed[:, 2]]
    affinities = boundary_affinities(edge, radius=5)[0].flatten(1)[listed[:, 0], listed[:, 1]]
    assert not affinities[(first - second).abs() == 1].any()
    assert (affinities[(first == 1) & (second == 1)] == 1).all()
    assert (first - second).abs().nansum() > 100


def test_a_constant_walks_to_itself_and_scores_stay_within_their_contour(rng):
    edge = torch.rand(1, 1, 9, 8, generator=rng)
    edge[..., 4, :] = 1
    scores = torch.ones(1, 2, 9, 8, dtype=torch.double)
    scores[:, 1, 4:] = 0
    walked = random_walk(
        scores, boundary_affinities(edge, radius=5), radius=5, beta=10, log_steps=8
    )
    assert_close(walked, scores)


def test_equal_maxima_give_the_gradient_once():
    edge = torch.full((1, 1, 9, 9), 0.5, requires_grad=True)
    affinities = boundary_affinities(edge, radius=5)
    affinities[0, :, 2, 4].sum().backward()
    assert edge.grad.sum() == -len(offsets(5))


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision_probabilities_give_single_precision_affinities(rng, dtype):
    edge = torch.rand(1, 1, 5, 6, generator=rng).to(dtype).requires_grad_()
    affinities = boundary_affinities(edge, radius=3)
    assert affinities.dtype == torch.float32
    assert_close(affinities, boundary_affinities(edge.float(), radius=3), rtol=0, atol=0)
    affinities.sum().backward()
    assert edge.grad.dtype == dtype


def test_what_is_kept_for_the_gradient_is_no_more_than_edges_and_affinities(rng):
    edge = torch.rand(2, 1, 20, 21, generator=rng, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()), lambda t: t):
        affinities = boundary_affinities(edge, radius=10)
    assert sorted(kept) == [edge.numel(), affinities.numel()]
