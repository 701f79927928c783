"""Sums over the processes of a distributed run, with gradients."""

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


def sum_over_processes(local: Tensor) -> Tensor:
    """Sum a tensor over all processes; a run with a single process returns it unchanged.

    For a mean over the batches of *all* processes, divide the two entries of
    ``sum_over_processes(torch.stack([total, count]))``. N processes with B/N images each then give
    the loss of one process with B images and, as DDP averages gradients, its gradients.

    Args:
        local: What this process contributes. All processes must make this call, with tensors of the
            same shape.

    Returns:
        The sum, shaped as ``local``. Its gradient is also summed over the processes.
    """
    return local if get_world_size() == 1 else _SumOverProcesses.apply(local)


class _SumOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, local: Tensor) -> Tensor:
        total = local.clone()
        all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.clone()
        all_reduce(total)
        return total
