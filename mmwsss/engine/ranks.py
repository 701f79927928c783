"""Connects the processes of a launcher, and shares work among them."""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
import torch.distributed
from mmengine.config import Config
from mmengine.dist import (
    all_gather_object,
    get_dist_info,
    init_dist,
    is_distributed,
    is_main_process,
)

from mmwsss.engine.child_processes import end_with_parent
from mmwsss.structures import UserInputError

# Longest time that ranks wait for a rank that is slower or hangs. One that ends is noticed at once.
_SECONDS_TO_WAIT = 3600
Item = TypeVar('Item')
Value = TypeVar('Value')


def connect_ranks(launcher: str, config: Config) -> None:
    """Join the process group of a launcher once, using gloo if there is no GPU.

    mmengine selects a GPU before connecting and again for the model, which fails without a GPU.

    Args:
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        config: Config whose ``env_cfg.dist_cfg`` names the backend and may have a ``timeout`` in
            seconds. Without a GPU, it gets a model wrapper that does not need one.
    """
    if launcher == 'none':
        return
    on_cpu = launcher == 'pytorch' and not torch.cuda.is_available()
    if on_cpu:
        config.setdefault(
            'model_wrapper_cfg', dict(type='MMDistributedDataParallel', device_ids=None)
        )
    if is_distributed():
        return
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        end_with_parent()  # torchrun; without it, nothing stops the other ranks when one ends
    dist_cfg = config.get('env_cfg', {}).get('dist_cfg', {'backend': 'nccl'})
    dist_cfg = {'timeout': _SECONDS_TO_WAIT, **dist_cfg}
    if on_cpu:
        timeout = timedelta(seconds=dist_cfg['timeout'])
        torch.distributed.init_process_group('gloo', timeout=timeout)
    else:
        init_dist(launcher, **dist_cfg)


def run_on_ranks(function: Callable[[], Value]) -> list[Value]:
    """Run a function on every rank and give each rank the results of all, ordered by rank.

    An error on one rank becomes an error on every rank, so that no rank waits forever.

    Args:
        function: What to run. Its result must be picklable, and it must not use a collective
            itself.

    Raises:
        UserInputError: A rank raised one; all ranks raise the same.
        RuntimeError: Another rank failed with a different error, which the failed rank itself
            raises.
    """
    rank, world_size = get_dist_info()
    if world_size == 1:
        return [function()]
    value, error = None, None
    try:
        value = function()
    except Exception as raised:  # raised again below, once all ranks know
        error = raised
    mistake = str(error) if isinstance(error, UserInputError) else None
    failure = None if error is None else f'{type(error).__name__}: {error}'
    outcomes = all_gather_object((value, mistake, failure))
    for _, line, _ in outcomes:
        if line is not None:
            raise UserInputError(line) from error
    if error is not None:
        raise error
    for other, (_, _, line) in enumerate(outcomes):
        if line is not None:
            raise RuntimeError(f'rank {rank} stops because rank {other} failed: {line}')
    return [value for value, _, _ in outcomes]


def on_first_rank(function: Callable[[], Value]) -> Value:
    """Run a function on the first rank and give its result or error to all ranks.

    Args:
        function: What to run. It should be quick, because the other ranks wait.
    """
    results = run_on_ranks(lambda: function() if is_main_process() else None)
    return results[0]  # type: ignore[return-value]  # the first rank ran the function


def share_of_rank(items: Sequence[Item]) -> Sequence[Item]:
    """Return this rank's share of items, every N-th one on N ranks."""
    rank, world_size = get_dist_info()
    return items[rank::world_size]


def map_over_ranks(
    function: Callable[[Item], Value],
    items: Sequence[Item],
    *,
    watch: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> list[Value]:
    """Share items among the ranks and give every rank all results, in the order of the items.

    Args:
        function: Called with one item; its result must be picklable.
        items: The same on every rank.
        watch: Iterates over a rank's share, for example to show progress.

    Raises:
        UserInputError: As :func:`run_on_ranks`.
        RuntimeError: As :func:`run_on_ranks`.
    """
    shares = run_on_ranks(lambda: [function(item) for item in watch(share_of_rank(items))])
    results: list = [None] * len(items)
    for rank, share in enumerate(shares):
        results[rank :: len(shares)] = share
    return results


def sum_over_ranks(
    function: Callable[[Item], np.ndarray],
    items: Sequence[Item],
    *,
    watch: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> np.ndarray:
    """Share items among the ranks and give every rank the sum of all results.

    Args:
        function: Called with one item; its results are arrays of the same shape.
        items: The same on every rank, at least one.
        watch: Iterates over a rank's share, for example to show progress.

    Raises:
        UserInputError: As :func:`run_on_ranks`.
        RuntimeError: As :func:`run_on_ranks`.
    """
    # A rank without a share returns the number 0, which can be added to any shape.
    sums = run_on_ranks(lambda: sum(function(item) for item in watch(share_of_rank(items))))
    return np.asarray(sum(sums))
