"""Connect the processes of a launcher, and share work over them."""

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

# Longest time for which ranks wait for each other: a rank that is slower than the others, or one
# that hangs. One that ends is noticed at once.
_SECONDS_TO_WAIT = 3600
Item = TypeVar('Item')
Value = TypeVar('Value')


def connect_ranks(launcher: str, config: Config) -> None:
    """Join the process group of a launcher, once; without a GPU over gloo.

    mmengine selects a GPU before it connects and again for the model, which fails without one.

    Args:
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        config: Config whose ``env_cfg.dist_cfg`` names the backend and may have a ``timeout`` in
            seconds; without a GPU it gets a wrapper of the model that needs none.
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
        end_with_parent()  # torchrun, without which nobody stops the ranks when one ends
    dist_cfg = config.get('env_cfg', {}).get('dist_cfg', {'backend': 'nccl'})
    dist_cfg = {'timeout': _SECONDS_TO_WAIT, **dist_cfg}
    if on_cpu:
        timeout = timedelta(seconds=dist_cfg['timeout'])
        torch.distributed.init_process_group('gloo', timeout=timeout)
    else:
        init_dist(launcher, **dist_cfg)


def run_on_ranks(function: Callable[[], Value]) -> list[Value]:
    """Run a function on every rank and give each rank the results of all, in order of the ranks.

    An error on one rank becomes an error on every rank, so that none waits for what never comes.

    Args:
        function: What to run; its result must be picklable. It must not use a collective itself.

    Raises:
        UserInputError: Any rank raised one; all raise the same.
        RuntimeError: Another rank failed otherwise; on the rank that failed it is its own error.
    """
    rank, world_size = get_dist_info()
    if world_size == 1:
        return [function()]
    value, error = None, None
    try:
        value = function()
    except Exception as raised:  # raised again below, when all ranks know
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
    """Run a function on the first rank and give its result, or its error, to all.

    Args:
        function: What to run: something quick, since the others wait.
    """
    results = run_on_ranks(lambda: function() if is_main_process() else None)
    return results[0]  # type: ignore[return-value]  # the first rank ran the function


def share_of_rank(items: Sequence[Item]) -> Sequence[Item]:
    """Give this rank's share of items: every N-th of them on N ranks."""
    rank, world_size = get_dist_info()
    return items[rank::world_size]


def map_over_ranks(
    function: Callable[[Item], Value],
    items: Sequence[Item],
    *,
    watch: Callable[[Iterable[Item]], Iterable[Item]] = iter,
) -> list[Value]:
    """Share items over the ranks and give every rank all results in the order of the items.

    Args:
        function: Called with one item; its result must be picklable.
        items: The same on every rank.
        watch: Goes through the share of a rank, for example to show the progress.

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
    """Share items over the ranks and give every rank the sum of all results.

    Args:
        function: Called with one item; its results are arrays of one shape.
        items: The same on every rank, at least one.
        watch: Goes through the share of a rank, for example to show the progress.

    Raises:
        UserInputError: As :func:`run_on_ranks`.
        RuntimeError: As :func:`run_on_ranks`.
    """
    # A rank without a share gives the number 0, which adds to any shape.
    sums = run_on_ranks(lambda: sum(function(item) for item in watch(share_of_rank(items))))
    return np.asarray(sum(sums))
