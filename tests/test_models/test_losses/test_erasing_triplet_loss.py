import pytest
import torch
from reference import erasing_triplet as reference
from torch.testing import assert_close

from mmwsss.models.losses.erasing_triplet_loss import (
    attraction_loss,
    choose_negatives,
    class_embeddings,
    erasing_mask,
    foreground_map,
    negative_distances,
    repulsion_loss,
)


def random_tags(rng, num_images, num_classes):
    return (torch.rand(num_images, num_classes, generator=rng) < 0.3).float()


def test_the_mask_erases_strong_activation_and_keeps_weak_activation_as_a_factor():
    foreground = torch.tensor([0.0, 0.3, 0.6, 0.9])
    assert_close(erasing_mask(foreground, threshold=0.6), torch.tensor([0.0, 0.3, 0.0, 0.0]))


def test_the_foreground_is_the_strongest_present_class():
    # Class 0 peaks left, class 1 right; class 2 peaks in the middle, but is absent.
    cams = torch.tensor([[[[4.0, 0.0, -1.0]], [[0.0, 0.0, 2.0]], [[0.0, 9.0, 0.0]]]])
    tags = torch.tensor([[1.0, 1.0, 0.0]])
    foreground = foreground_map(cams, tags, (1, 3))
    assert_close(foreground, torch.tensor([[[[1.0, 0.0, 1.0]]]]), rtol=0, atol=2e-5)


def test_corners_of_the_foreground_can_be_aligned():
    # Two cells on five pixels: with aligned corners the pixels lie a quarter of a cell apart.
    cams = torch.tensor([[[[0.0, 1.0]]]])
    foreground = foreground_map(cams, torch.ones(1, 1), (1, 5), align_corners=True)
    assert_close(foreground.flatten(), torch.linspace(0, 1, 5), rtol=0, atol=5e-5)


@pytest.mark.parametrize('most_classes', [None, 4])
def test_the_foreground_follows_its_formula(rng, most_classes):
    cams, tags = torch.randn(4, 6, 3, 4, generator=rng), random_tags(rng, 4, 6)
    tags[0] = 0
    assert tags.sum(dim=1).max() <= 4
    foreground = foreground_map(cams, tags, (7, 9), most_classes=most_classes)
    assert_close(foreground, reference.foreground(cams, tags, (7, 9)), rtol=0, atol=2e-6)


def test_images_without_a_class_have_no_foreground(rng):
    cams = torch.randn(2, 3, 4, 4, generator=rng)
    assert foreground_map(cams, torch.zeros(2, 3), (8, 8), most_classes=0).abs().max() == 0


def test_only_present_classes_have_embeddings():
    maps = torch.tensor([[[[2.0, -4.0]], [[6.0, 6.0]]]])
    assert class_embeddings(maps, torch.tensor([[1.0, 0.0]])).tolist() == [[1, 0]]


def test_attraction_is_the_mean_difference_over_all_classes():
    anchor, positive = (
        torch.tensor([[1.0, 0.0], [0.5, 2.0]]),
        torch.tensor([[0.0, 0.0], [0.5, 5.0]]),
    )
    assert attraction_loss(anchor, positive).item() == 1


def test_a_negative_never_shares_a_class(rng):
    for _ in range(50):
        tags = random_tags(rng, 8, 5)
        negatives, valid = choose_negatives(tags)
        assert (tags * tags[negatives]).sum(dim=1)[valid].sum() == 0
        assert tags[negatives[valid]].sum(dim=1).gt(0).all()
        expected = [negative is not None for negative in reference.choose_negatives(tags)]
        assert valid.tolist() == expected


def test_every_candidate_is_a_negative_equally_often():
    torch.manual_seed(0)
    tags = torch.eye(3)[[0, 0, 1, 2, 2]]
    drawn = torch.stack([choose_negatives(tags)[0][0] for _ in range(3000)])
    counts = drawn.bincount(minlength=5)
    assert counts[:2].sum() == 0
    assert ((counts[2:] - 1000).abs() < 100).all()


def test_the_same_seed_chooses_the_same_negatives():
    chosen = []
    for _ in range(2):
        torch.manual_seed(3)
        chosen.append(choose_negatives(torch.eye(20)[:, :10])[0])
    assert_close(*chosen)


def test_an_image_without_a_class_is_neither_anchor_nor_negative():
    tags = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    assert choose_negatives(tags)[1].tolist() == [False, False, False]


@pytest.mark.parametrize('num_images', [1, 4])
def test_when_all_images_share_a_class_none_has_a_negative(num_images):
    tags = torch.eye(5)[:num_images]
    tags[:, 4] = 1
    assert not choose_negatives(tags)[1].any()


def test_the_distance_of_hand_made_maps():
    # Image 0: cam normalised to (0, 1), so the low area is the left half, f = (-1/2, 1): -1/2.
    # Image 1 is its negative: f = (1, 1/2), mean 3/4. Together 1/4 + 9/16.
    class_map = torch.tensor([[[[-1.0, 2.0]], [[7.0, 7.0]]], [[[5.0, 5.0]], [[4.0, 2.0]]]])
    cams = torch.tensor([[[[1.0, 3.0]], [[0.0, 0.0]]], [[[0.0, 0.0]], [[1.0, 1.0]]]])
    tags = torch.eye(2)
    distances = negative_distances(class_map, cams, tags, torch.tensor([1, 0]), low_threshold=0.2)
    assert_close(distances[0].item(), 1 / 4 + 9 / 16, rtol=0, atol=5e-5)


def test_distances_follow_their_formula(rng):
    tags = random_tags(rng, 8, 5)
    class_map, cams = torch.randn(2, 8, 5, 4, 3, generator=rng)
    negatives, valid = choose_negatives(tags)
    distances = negative_distances(class_map, cams, tags, negatives, low_threshold=0.2)
    known = [int(j) if v else None for j, v in zip(negatives, valid, strict=True)]
    expected = reference.distances(class_map, cams, tags, known, 0.2)
    assert valid.sum() > 3
    for i in valid.nonzero().flatten().tolist():
        assert_close(distances[i], expected[i])
    assert_close(
        repulsion_loss(distances, valid, margin=0.5), reference.repulsion(expected, 0.5, 1)
    )


@pytest.mark.parametrize(('min_hard', 'expected'), [(1, 0.2), (2, 0.2), (3, 0.0)])
def test_repulsion_is_the_mean_over_hard_triplets_if_there_are_enough(min_hard, expected):
    distances = torch.tensor([0.2, 0.4, 0.5, 0.8, 0.0])
    valid = torch.tensor([True, True, True, True, False])
    loss = repulsion_loss(distances, valid, margin=0.5, min_hard=min_hard)
    assert_close(loss.item(), expected)


def test_without_a_hard_triplet_the_repulsion_is_zero_on_the_graph():
    distances = torch.ones(3, requires_grad=True)
    loss = repulsion_loss(distances, torch.ones(3, dtype=torch.bool), margin=0.5)
    loss.backward()
    assert loss.item() == 0
    assert distances.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize('value', [-1.0, 0.0, 3.0])
def test_a_constant_map_is_all_low_and_erases_everything(value):
    cams = torch.full((2, 2, 3, 3), value, requires_grad=True)
    tags = torch.eye(2)
    assert foreground_map(cams, tags, (6, 6)).abs().max() == 0
    distances = negative_distances(cams, cams, tags, torch.tensor([1, 0]), low_threshold=0.2)
    distances.sum().backward()
    assert distances.isfinite().all()
    assert cams.grad.isfinite().all()
