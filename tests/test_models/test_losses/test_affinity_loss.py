import math

import pytest
import torch
from torch.testing import assert_close

from mmwsss.affinity import PairMasks, pair_masks
from mmwsss.models.losses import AffinityLoss, affinity_loss
from mmwsss.registry import MODELS


def random_case(rng, size=(2, 6, 7), radius=3):
    labels = torch.tensor([0, 1, 2, 255])[torch.randint(4, size, generator=rng)]
    masks = pair_masks(labels, radius=radius)
    return torch.rand(masks.negative.shape, generator=rng), labels, masks


def test_one_pair_of_each_kind_by_hand():
    affinities = torch.tensor([0.5, 0.25, 0.5, 0.9])  # the last pair has no kind
    masks = PairMasks(*torch.eye(4).bool()[:3])
    losses = affinity_loss(affinities, masks)
    ln2 = math.log(2)
    assert_close(torch.stack(losses[1:]), torch.tensor([ln2, 2 * ln2, ln2]), rtol=1e-4, atol=0)
    assert_close(losses.total.item(), 1.25 * ln2, rtol=1e-4, atol=0)


def test_each_term_is_a_mean_over_the_pairs_of_the_whole_batch(rng):
    affinities, _, masks = random_case(rng)
    losses = affinity_loss(affinities, masks)
    assert_close(losses.background, -affinities[masks.background].log().mean(), rtol=1e-3, atol=0)
    assert_close(losses.foreground, -affinities[masks.foreground].log().mean(), rtol=1e-3, atol=0)
    different = -(1 - affinities[masks.negative]).log().mean()
    assert_close(losses.negative, different, rtol=1e-3, atol=0)


def test_meets_the_published_losses_and_gradients(oracle):
    data = oracle('psa_labels_loss')
    for case in range(int(data['num_loss_cases'])):
        get = lambda key: torch.from_numpy(data[f'l{case}_{key}'])  # noqa: B023, E731
        affinities = get('aff').requires_grad_()
        losses = affinity_loss(affinities, PairMasks(*(get(k).bool() for k in ('bg', 'fg', 'neg'))))
        assert_close(torch.stack(losses[1:]).detach(), get('terms'), rtol=1e-4, atol=0)
        assert_close(losses.total.detach(), get('loss'), rtol=1e-4, atol=0)
        losses.total.backward()
        assert_close(affinities.grad, get('grad_aff'), rtol=2e-3, atol=0)


@pytest.mark.parametrize('label', [0, 1, 255])
def test_kinds_without_pairs_are_zero_and_attached(label):
    masks = pair_masks(torch.full((1, 4, 4), label), radius=3)
    affinities = torch.full(masks.negative.shape, 0.5, requires_grad=True)
    losses = affinity_loss(affinities, masks)
    assert [loss.item() > 0 for loss in losses[1:]] == [label == 0, label == 1, False]
    losses.total.backward()
    assert affinities.grad.isfinite().all()


def test_affinities_of_0_and_1_give_finite_losses_and_gradients():
    affinities = torch.tensor([0.0, 1.0, 0.0, 1.0]).requires_grad_()
    alike = torch.tensor([True, True, False, False])
    losses = affinity_loss(affinities, PairMasks(alike, torch.zeros(4).bool(), ~alike))
    losses.total.backward()
    assert losses.total.isfinite()
    assert affinities.grad.isfinite().all()


def test_half_precision_affinities_give_single_precision_losses(rng):
    affinities, _, masks = random_case(rng)
    assert affinity_loss(affinities.half(), masks).total.dtype == torch.float32


def test_the_logged_losses_add_up_to_the_total(rng):
    affinities, labels, masks = random_case(rng)
    losses = MODELS.build(dict(type='AffinityLoss'))(affinities, labels, radius=3)
    assert set(losses) == {'loss_background', 'loss_foreground', 'loss_negative'}
    assert_close(sum(losses.values()), affinity_loss(affinities, masks).total)


def test_the_published_border_is_an_option(rng):
    affinities, labels, _ = random_case(rng)
    losses = AffinityLoss(official_border=True)(affinities, labels, radius=3)
    masks = pair_masks(labels, radius=3, official_border=True)
    assert_close(sum(losses.values()), affinity_loss(affinities, masks).total)


def test_two_processes_equal_one(rng, on_two_ranks):
    affinities, labels, _ = random_case(rng)
    labels[1] = labels[1].clamp_max(1)
    labels[1][labels[1] == 0] = 255  # the second process has only foreground pairs
    single = affinities.clone().requires_grad_()
    total = affinity_loss(single, pair_masks(labels, radius=3)).total
    total.backward()

    def loss_of_one_image(rank):
        image = slice(rank, rank + 1)
        leaf = affinities[image].clone().requires_grad_()
        rank_total = affinity_loss(leaf, pair_masks(labels[image], radius=3)).total
        rank_total.backward()
        return rank_total.detach(), leaf.grad / 2  # DDP averages

    for rank, (rank_total, rank_grad) in enumerate(on_two_ranks(loss_of_one_image)):
        assert_close(rank_total, total.detach())
        assert_close(rank_grad[0], single.grad[rank])
