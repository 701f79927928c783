import multiprocessing
import os
import signal
import time
from concurrent.futures import wait
from functools import partial

import numpy as np
import pytest
import torch

from mmwsss.engine.labels.pool import RefinePool


def double(array):
    return 2 * array


def fail():
    raise ValueError('a job of the test')


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Announced:
    """A large value that says when it is being sent."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        self.path.touch()
        return bytes, (bytes(3 * 10**8),)


def large_result(path):
    return Announced(path)


def interrupt():
    raise KeyboardInterrupt


def threads():
    return torch.get_num_threads(), signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_without_workers_a_job_runs_at_once_in_this_process():
    with RefinePool(0) as pool:
        future = pool.submit(os.getpid)
        assert future.done()
        assert future.result() == os.getpid()
        with pytest.raises(ValueError, match='a job of the test'):
            pool.submit(fail).result()


def test_interrupt_passes_through_a_pool_without_workers():
    with pytest.raises(KeyboardInterrupt), RefinePool(0) as pool:
        pool.submit(interrupt)


def test_worker_processes_run_jobs_on_one_thread_and_return_results_and_errors():
    with RefinePool(1) as pool:
        futures = [pool.submit(partial(double, np.full(2, i))) for i in range(3)]
        failed, settings, process = pool.submit(fail), pool.submit(threads), pool.submit(os.getpid)
        done, _ = wait(futures)
        assert done == set(futures)
        assert [future.result().tolist() for future in futures] == [[0, 0], [2, 2], [4, 4]]
        assert settings.result() == (1, True)
        assert process.result() != os.getpid()
        with pytest.raises(ValueError, match='a job of the test'):
            failed.result()


def test_worker_that_dies_is_explained_and_so_are_later_jobs():
    with RefinePool(1) as pool:
        with pytest.raises(RuntimeError, match='smaller `num_workers`'):
            pool.submit(die).result()
        with pytest.raises(RuntimeError, match='smaller `num_workers`'):
            pool.submit(os.getpid).result()


@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError])
def test_exception_in_the_block_ends_what_has_not_started(error):
    futures = []
    with pytest.raises(error), RefinePool(1) as pool:
        futures += [pool.submit(partial(double, np.ones(3))) for _ in range(50)]
        raise error
    assert all(future.done() for future in futures)
    assert futures[-1].cancelled() or futures[-1].exception()


def test_ctrl_c_does_not_wait_for_a_job_that_runs():
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), RefinePool(1) as pool:
        pool.submit(partial(time.sleep, 60))
        raise KeyboardInterrupt
    assert time.monotonic() - start < 30


def test_ctrl_c_does_not_wait_for_a_job_that_nobody_reads():
    start = time.monotonic()
    fork = multiprocessing.get_context('fork')
    loader_worker = fork.Process(target=time.sleep, args=(60,), daemon=True)
    with pytest.raises(KeyboardInterrupt), RefinePool(1) as pool:
        loader_worker.start()  # it inherits the reading end of the pipe
        pool.submit(partial(double, np.ones(10**6)))
        raise KeyboardInterrupt
    loader_worker.kill()
    assert time.monotonic() - start < 30


def test_ctrl_c_cuts_off_no_result_of_which_the_rest_would_be_awaited(tmp_path):
    start = time.monotonic()
    fork = multiprocessing.get_context('fork')
    loader_worker = fork.Process(target=time.sleep, args=(60,), daemon=True)
    with pytest.raises(KeyboardInterrupt), RefinePool(1) as pool:
        pool.submit(os.getpid).result()
        loader_worker.start()  # it inherits the writing end of the pipe
        pool.submit(partial(large_result, tmp_path / 'writing'))
        while not (tmp_path / 'writing').exists():
            time.sleep(0.01)
        raise KeyboardInterrupt
    loader_worker.kill()
    assert time.monotonic() - start < 30


def test_pool_outside_of_its_block_says_so():
    with pytest.raises(RuntimeError, match='`with` block'):
        RefinePool(1).submit(os.getpid)


def test_negative_number_of_workers_is_refused():
    with pytest.raises(ValueError, match='num_workers'):
        RefinePool(-1)
