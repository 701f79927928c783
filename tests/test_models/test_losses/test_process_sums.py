import torch
from torch.testing import assert_close

from mmwsss.models.losses import sum_over_processes


def test_a_single_process_gets_its_own_tensor():
    local = torch.ones(2, requires_grad=True)
    assert sum_over_processes(local) is local


def test_two_processes_get_the_sum_and_the_sum_of_gradients(on_two_ranks):
    def contribute(rank):
        local = torch.tensor([1.0, 10.0]) * (1 + rank)
        local.requires_grad_()
        total = sum_over_processes(local)
        ((1 + rank) * total).sum().backward()  # another factor on each process
        return total.detach(), local.grad

    for total, grad in on_two_ranks(contribute):
        assert_close(total, torch.tensor([3.0, 30.0]))
        assert_close(grad, torch.tensor([3.0, 3.0]))
