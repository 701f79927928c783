"""Sums over the processes of a distributed run, with gradients."""

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


def sum_over_processes(local: Tensor) -> Tensor:
    """Sum a tensor over all processes; in a run of one process it is returned as it is.

    A mean over the batch of *all* processes is ``sum_over_processes(torch.stack([total, count]))``,
    then one by the other. N processes with B/N images then give the loss and, as DDP averages
    gradients, the gradients of one process with B images.

    Args:
        local: What this process contributes, of one shape on all processes, which must all call.

    Returns:
        The sum, shaped as ``local``. Its gradient is summed over the processes too.
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
