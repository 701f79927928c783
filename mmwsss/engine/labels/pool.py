"""Processes for CPU-bound work on labels, such as refining scores and writing files."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from types import TracebackType

import torch

from mmwsss.engine.child_processes import interrupts_held, start_worker
from mmwsss.structures import UserInputError

Job = Callable[[], object]
_SECONDS_FOR_RESULT = 10.0


class RefinePool:
    """Run jobs in a pool of processes, or immediately in this one.

    Threads do not help, because the CRF holds the interpreter's lock. Processes are spawned, never
    forked, because a fork of a process with threads of PyTorch or CUDA may hang. A script that uses
    this therefore needs ``if __name__ == '__main__'``. Leaving the context waits only for jobs that
    are already running, even after an exception; Ctrl-C also ends those. The processes end with
    this one, even if it is killed.

    Args:
        num_workers: Number of processes; 0 runs every job in :meth:`submit`.

    Attributes:
        busy_seconds: Time that processes, or :meth:`submit`, spent on finished jobs.

    Raises:
        UserInputError: If ``num_workers`` is negative.
    """

    def __init__(self, num_workers: int) -> None:
        if num_workers < 0:
            raise UserInputError(
                f'num_workers must be 0 (no processes) or more, got {num_workers}.'
            )
        self.num_workers = num_workers
        self.busy_seconds = 0.0
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> 'RefinePool':
        if self.num_workers > 0:
            self._executor = ProcessPoolExecutor(
                self.num_workers,
                mp_context=multiprocessing.get_context('spawn'),
                initializer=_start_worker,
            )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._executor is None:
            return
        if exc_type is not None and issubclass(exc_type, KeyboardInterrupt):
            _kill_workers(self._executor)
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = None

    def submit(self, job: Job) -> Future:
        """Run a job; its future holds the result or the exception.

        Args:
            job: Called without arguments. It must be picklable if there are processes.

        Raises:
            RuntimeError: If the pool is used outside its ``with`` block.
        """
        future: Future = Future()
        if self.num_workers == 0:
            self._run_here(job, future)
            return future
        if self._executor is None:
            raise RuntimeError('A RefinePool only runs jobs inside its `with` block.')
        try:
            with interrupts_held():  # may start a process
                running = self._executor.submit(partial(_timed, job))
        except BrokenProcessPool as error:
            future.set_exception(_dead_worker(error))
            return future
        running.add_done_callback(partial(self._hand_over, future))
        return future

    def _run_here(self, job: Job, future: Future) -> None:
        try:
            result, seconds = _timed(job)
        except Exception as error:
            future.set_exception(error)
            return
        self.busy_seconds += seconds
        future.set_result(result)

    def _hand_over(self, future: Future, running: Future) -> None:
        """Copy the outcome of a running future to the one that the caller holds."""
        if running.cancelled():
            future.cancel()
            future.set_running_or_notify_cancel()
            return
        error = running.exception()
        if isinstance(error, BrokenProcessPool):
            future.set_exception(_dead_worker(error))
        elif error is not None:
            future.set_exception(error)
        else:
            result, seconds = running.result()
            self.busy_seconds += seconds
            future.set_result(result)


def _kill_workers(executor: ProcessPoolExecutor) -> None:
    """Kill the workers so that shutting down waits for none of their pipes.

    Workers of a data loader, forked while the pool was open, keep the ends of all pipes open. So
    nobody notices that a job which fills its pipe is never read, or that a result is cut off.
    """
    executor._call_queue.cancel_join_thread()  # type: ignore[attr-defined]
    # While a worker writes a result, it holds this lock: none is cut off. Windows has no lock.
    writing = executor._result_queue._wlock  # type: ignore[attr-defined]
    held = writing is not None and writing.acquire(timeout=_SECONDS_FOR_RESULT)
    for process in list(executor._processes.values()):
        process.kill()
    if held:
        writing.release()


def _start_worker() -> None:
    start_worker()
    torch.set_num_threads(1)


def _timed(job: Job) -> tuple[object, float]:
    start = time.perf_counter()
    return job(), time.perf_counter() - start


def _dead_worker(cause: BaseException) -> RuntimeError:
    error = RuntimeError(
        'A refinement process died, usually because memory ran out or because the script lacks '
        "`if __name__ == '__main__'`. Start again with a smaller `num_workers`; 0 refines in the "
        'main process and shows the actual error.'
    )
    error.__cause__ = cause
    return error
