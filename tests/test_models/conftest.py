import os
import socket

import pytest
import torch
import torch.distributed as dist


@pytest.fixture
def on_two_ranks():
    """Run a function of the rank in two connected processes; give what each returned."""

    def run(function):
        with socket.socket() as server:
            server.bind(('127.0.0.1', 0))
            port = server.getsockname()[1]
        with torch.multiprocessing.Manager() as manager:
            results = manager.dict()
            torch.multiprocessing.start_processes(
                _run_rank,
                (port, function, results),
                nprocs=2,
                start_method='fork',  # spares the imports of a fresh process
            )
            return [results[rank] for rank in (0, 1)]

    return run


def _run_rank(rank, port, function, results):
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), OMP_NUM_THREADS='1')
    dist.init_process_group('gloo', rank=rank, world_size=2)
    results[rank] = function(rank)
    dist.destroy_process_group()
