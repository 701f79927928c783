import math

import pytest
import torch
from reference import stencil_affinity as reference
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from mmwsss.affinity import stencil_affinities, stencil_mask, stencil_offsets


def test_an_affinity_is_the_exponential_of_the_mean_difference():
    feats = torch.tensor([[0.0, 1.0], [0.0, 3.0]]).view(1, 2, 1, 2)  # two channels, two cells
    affinities = stencil_affinities(feats, radius=2)
    assert affinities.shape == (1, 4, 1, 2)
    assert_close(affinities[0, 0, 0, 0].item(), math.exp(-2), rtol=1e-6, atol=0)
    assert affinities.count_nonzero() == 1


def test_equal_cells_have_affinity_1_and_missing_pairs_0():
    affinities = stencil_affinities(torch.ones(1, 3, 6, 7), radius=4)
    assert affinities[0].equal(stencil_mask((6, 7), radius=4).float())


@pytest.mark.parametrize('size', [(7, 9), (3, 4), (1, 6), (6, 1), (1, 1)])
@pytest.mark.parametrize('radius', [2, 5])
def test_equals_the_loop_over_pairs(rng, size, radius):
    feats = torch.randn(2, 3, *size, generator=rng)
    assert_close(stencil_affinities(feats, radius=radius), reference.affinities(feats, radius))


def test_values_and_gradients_equal_the_gather_form(rng):
    feats = torch.randn(2, 5, 8, 9, generator=rng, dtype=torch.double)
    feats[..., 2, :] = feats[..., 3, :]  # differences of 0
    weights = torch.randn(2, len(reference.pairs((8, 9), 5)), generator=rng, dtype=torch.double)
    leaf, plain_leaf = feats.clone().requires_grad_(), feats.clone().requires_grad_()
    mask = stencil_mask((8, 9), radius=5)
    affinities = stencil_affinities(leaf, radius=5)[:, mask]
    plain = reference.gathered_affinities(plain_leaf, 5)
    assert_close(affinities, plain)
    (affinities * weights).sum().backward()
    (plain * weights).sum().backward()
    assert_close(leaf.grad, plain_leaf.grad)


def test_gradients_equal_finite_differences(rng):
    # Distinct values, further apart than the step of the check.
    feats = torch.randperm(2 * 2 * 3 * 4, generator=rng).double().view(2, 2, 3, 4) / 10
    feats.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: stencil_affinities(x, radius=3), feats)


def test_equal_cells_have_no_gradient():
    feats = torch.ones(1, 2, 4, 4, requires_grad=True)
    stencil_affinities(feats, radius=3).sum().backward()
    assert feats.grad.count_nonzero() == 0


@pytest.mark.parametrize('channels', [1, 4])
def test_the_memory_format_does_not_matter(rng, channels):
    feats = torch.randn(2, channels, 5, 6, generator=rng)
    results = []
    for leaf in (
        feats.clone(),
        feats.clone(memory_format=torch.channels_last),
        feats.mT.contiguous().mT,
    ):
        leaf.requires_grad_()
        affinities = stencil_affinities(leaf, radius=3)
        affinities.square().sum().backward()
        results.append((affinities.detach(), leaf.grad))
    assert_close(results[1], results[0])
    assert_close(results[2], results[0])


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision_features_give_single_precision_affinities(rng, dtype):
    feats = torch.randn(1, 6, 5, 6, generator=rng).to(dtype).requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        affinities = stencil_affinities(feats, radius=3)
    assert affinities.dtype == torch.float32
    assert_close(affinities, stencil_affinities(feats.float(), radius=3), rtol=0, atol=0)
    affinities.sum().backward()
    assert feats.grad.dtype == dtype


def test_features_without_gradient_give_affinities_without(rng):
    feats = torch.randn(1, 2, 5, 5, generator=rng)
    assert not stencil_affinities(feats, radius=3).requires_grad
    with torch.no_grad():
        assert not stencil_affinities(feats.requires_grad_(), radius=3).requires_grad


def test_an_image_does_not_depend_on_the_others_of_its_batch(rng):
    feats = torch.randn(3, 4, 6, 5, generator=rng)
    batch = stencil_affinities(feats, radius=5)
    assert_close(batch[1:2], stencil_affinities(feats[1:2], radius=5))


class LargestTensor(TorchDispatchMode):
    """Record the number of elements in the largest result of any operation."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.numel = max(self.numel, result.untyped_storage().nbytes() // result.element_size())
        return result


def test_no_tensor_is_larger_than_features_or_affinities(rng):
    feats = torch.randn(2, 50, 9, 11, generator=rng, requires_grad=True)
    with LargestTensor() as largest:
        stencil_affinities(feats, radius=5).sum().backward()
    assert largest.numel == feats.numel() > 2 * len(stencil_offsets(5)) * 99
