"""Works on the labels of several images at once."""

import time
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

import torch

from mmwsss.engine.labels.pool import RefinePool

Steps = Generator[Callable[[], Any], Any, Any]


class Schedule:
    """Run the steps of images; while the pool has a job of one image, others continue.

    Steps are a coroutine: they yield jobs for the pool and are sent their results.

    Args:
        pool: Pool that runs the jobs.

    Attributes:
        waited_seconds: Time spent only on waiting for the pool.
    """

    def __init__(self, pool: RefinePool) -> None:
        self.waited_seconds = 0.0
        self._pool = pool
        self._waiting: dict[Future, Steps] = {}

    def start(self, steps: Steps) -> None:
        """Run the steps of an image up to their first job, which goes to the pool."""
        self._advance(steps, None)

    def wait(self, *, most: int) -> None:
        """Continue with images whose job is done until at most `most` are waiting for theirs."""
        while self._waiting:
            timeout = None if len(self._waiting) > most else 0
            start = time.perf_counter()
            done, _ = wait(self._waiting, timeout=timeout, return_when=FIRST_COMPLETED)
            self.waited_seconds += time.perf_counter() - start
            if not done:
                return
            # In order of submission.
            for future in [future for future in self._waiting if future in done]:
                self._advance(self._waiting.pop(future), future.result())

    def _advance(self, steps: Steps, result: object) -> None:
        """Run the steps of an image up to their next job or their end."""
        try:
            with torch.no_grad():
                job = steps.send(result)
        except StopIteration:
            return
        self._waiting[self._pool.submit(job)] = steps
