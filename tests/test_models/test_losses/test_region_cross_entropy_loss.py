import math

import torch
from torch.testing import assert_close

from mmwsss.models.losses import region_cross_entropy
from mmwsss.structures import IGNORE_INDEX


def test_region_cross_entropy_is_the_mean_over_regions_that_count():
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [9.0, -9.0]])
    targets = torch.tensor([1, 0, IGNORE_INDEX])
    loss = region_cross_entropy(logits, targets)
    assert_close(loss.item(), (math.log(2) - math.log(0.75)) / 2)


def test_region_cross_entropy_without_any_region_is_zero_on_the_graph():
    logits = torch.randn(3, 4, requires_grad=True)
    loss = region_cross_entropy(logits, torch.full((3,), IGNORE_INDEX))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


def test_region_cross_entropy_of_no_rows_is_zero():
    logits = torch.zeros(0, 4, requires_grad=True)
    loss = region_cross_entropy(logits, torch.zeros(0, dtype=torch.long))
    assert loss.item() == 0


def test_region_cross_entropy_of_two_processes_equals_one(rng, on_two_ranks):
    # The second process has one region that counts, the first four.
    logits, targets = torch.randn(2, 4, 3, generator=rng), torch.randint(3, (2, 4), generator=rng)
    targets[1, 1:] = IGNORE_INDEX
    single = logits.clone().requires_grad_()
    loss = region_cross_entropy(single.flatten(0, 1), targets.flatten())
    loss.backward()

    def loss_of_one_rank(rank):
        leaf = logits[rank].clone().requires_grad_()
        rank_loss = region_cross_entropy(leaf, targets[rank])
        rank_loss.backward()
        return rank_loss.detach(), leaf.grad / 2  # DDP averages

    for rank, (rank_loss, rank_grad) in enumerate(on_two_ranks(loss_of_one_rank)):
        assert_close(rank_loss, loss.detach())
        assert_close(rank_grad, single.grad[rank])
