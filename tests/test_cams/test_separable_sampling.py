import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmwsss.cams.separable_sampling import (
    bilinear_matrix,
    neighbour_products,
    sampled_square_norm,
    source_positions,
)

FORMATS = [torch.contiguous_format, torch.channels_last]


def random_feats(rng, *shape, dtype=torch.float32):
    return torch.randn(*shape, generator=rng, dtype=dtype)


def test_bilinear_matrix_of_hand_made_positions():
    matrix = bilinear_matrix(torch.tensor([0.0, 1.25, -0.25, 2.5, 4.0]), 3)
    expected = torch.tensor([[1, 0, 0], [0, 0.75, 0.25], [0.75, 0, 0], [0, 0, 0.5], [0, 0, 0]])
    assert_close(matrix, expected)


def test_source_positions_of_the_two_conventions():
    coords = torch.tensor([-1.0, 0.0, 1.0])
    assert_close(source_positions(coords, 5, corner_aligned=True), torch.tensor([0.0, 2.0, 4.0]))
    assert_close(source_positions(coords, 5, corner_aligned=False), torch.tensor([-0.5, 2.0, 4.5]))


@pytest.mark.parametrize('corner_aligned', [True, False])
def test_sampling_by_matrices_equals_grid_sample_also_outside_of_the_map(rng, corner_aligned):
    feats = random_feats(rng, 1, 3, 5, 7)
    x, y = torch.linspace(-1.3, 1.2, 9), torch.linspace(-0.9, 1.5, 6)
    grid = torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1).unsqueeze(0)
    rows = bilinear_matrix(source_positions(y, 5, corner_aligned=corner_aligned), 5)
    cols = bilinear_matrix(source_positions(x, 7, corner_aligned=corner_aligned), 7)
    expected = F.grid_sample(feats, grid, align_corners=corner_aligned)
    assert_close(rows @ feats @ cols.mT, expected)


@pytest.mark.parametrize('memory_format', FORMATS)
def test_neighbour_products_of_a_hand_made_map(memory_format):
    feats = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [1.0, 0.0]]]])
    products = neighbour_products(feats.to(memory_format=memory_format))
    assert products.square.tolist() == [[[1, 5], [10, 16]]]
    assert products.right.tolist() == [[[2, 0], [12, 0]]]
    assert products.below.tolist() == [[[3, 8], [0, 0]]]
    assert products.diagonal.tolist() == [[[1 * 4 + 2 * 3 + 1 * 1, 0], [0, 0]]]


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize('shape', [(2, 40, 5, 6), (1, 3, 1, 1), (2, 2, 1, 4), (2, 2, 4, 1)])
def test_square_norm_equals_that_of_sampled_features(rng, memory_format, shape):
    feats = random_feats(rng, *shape).to(memory_format=memory_format)
    height, width = shape[2:]
    rows = bilinear_matrix(torch.rand(shape[0], 3, 7, generator=rng) * (height + 1) - 1, height)
    cols = bilinear_matrix(torch.rand(shape[0], 3, 4, generator=rng) * (width + 1) - 1, width)
    sampled = rows.unsqueeze(2) @ feats.unsqueeze(1) @ cols.unsqueeze(2).mT  # (B, 3, C, 7, 4)
    norm = sampled_square_norm(neighbour_products(feats), rows, cols)
    assert_close(norm, sampled.square().sum(2), rtol=1e-5, atol=1e-5)


def test_one_grid_serves_all_images(rng):
    feats = random_feats(rng, 2, 3, 5, 6)
    rows = bilinear_matrix(torch.linspace(0, 4, 9), 5)
    cols = bilinear_matrix(torch.linspace(0, 5, 11), 6)
    norm = sampled_square_norm(neighbour_products(feats), rows, cols)
    resized = F.interpolate(feats, (9, 11), mode='bilinear', align_corners=True)
    assert_close(norm, resized.square().sum(1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('memory_format', FORMATS)
@pytest.mark.parametrize(
    'shape', [(2, 3, 4, 5), (1, 2, 3, 3), (1, 2, 2, 2), (1, 2, 4, 2), (1, 2, 1, 3), (2, 2, 3, 1)]
)
def test_gradient_of_neighbour_products(rng, memory_format, shape):
    feats = random_feats(rng, *shape, dtype=torch.float64).to(memory_format=memory_format)
    assert torch.autograd.gradcheck(
        lambda feats: tuple(neighbour_products(feats)), feats.requires_grad_()
    )


def test_features_in_neither_memory_format_have_the_same_products_and_gradient(rng):
    feats = random_feats(rng, 2, 3, 4, 5).requires_grad_()
    transposed = feats.detach().mT.contiguous().requires_grad_()
    weights = torch.rand(4, 2, 4, 5, generator=rng)
    for maps in neighbour_products(feats), neighbour_products(transposed.mT):
        (torch.stack(maps) * weights).sum().backward()
    assert_close(transposed.grad.mT, feats.grad)


@pytest.mark.parametrize('memory_format', FORMATS)
def test_gradient_has_the_memory_format_of_the_features(rng, memory_format):
    feats = random_feats(rng, 2, 3, 4, 5).to(memory_format=memory_format).requires_grad_()
    (grad,) = torch.autograd.grad(neighbour_products(feats).square.sum(), feats)
    assert grad.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize('memory_format', FORMATS)
def test_half_precision_features_are_multiplied_in_single_precision(memory_format):
    feats = torch.full((1, 2, 2, 2), 300.0, dtype=torch.float16, requires_grad=True)
    products = neighbour_products(feats.to(memory_format=memory_format))
    assert products.square.tolist() == [[[180000.0] * 2] * 2]  # beyond the range of float16
    products.right.sum().backward()
    assert feats.grad.dtype == torch.float16
