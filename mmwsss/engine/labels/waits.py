"""Tells what slowed down label making: the refinement, the images, or the network."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar('Item')
_SECONDS_WORTH_A_LINE = 20.0  # the start of the processes makes up much of a shorter stage
_MUCH = 0.1
_MOST = 0.8


class Stopwatch:
    """Sums up the time that a process waits for the items of an iterable, such as a loader."""

    seconds = 0.0

    def iterate(self, items: Iterable[Item]) -> Iterator[Item]:
        """Give one item after the other."""
        iterator = iter(items)
        while True:
            start = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.seconds += time.perf_counter() - start
            yield item


@dataclass(frozen=True)
class Waits:
    """Where the time of a label stage went, in seconds.

    Attributes:
        total: The whole stage.
        for_images: The main process waited for the data loader.
        for_jobs: It waited for refinement and writing; without workers, it did both.
        busy: Sum over the workers of the time that they had a job.
        workers: Number of workers.
    """

    total: float
    for_images: float
    for_jobs: float
    busy: float
    workers: int

    def line(self) -> str | None:
        """Say what was waited for and what would help; None for a stage of a few seconds."""
        if self.total < _SECONDS_WORTH_A_LINE:
            return None
        jobs, images = self.for_jobs / self.total, self.for_images / self.total
        busy = self.busy / self.total / max(self.workers, 1)
        if jobs > max(images, _MUCH):
            if self.workers == 0:
                return (
                    f'Label making: {jobs:.0%} of the time went into refinement and writing, which '
                    'worker processes (`num_workers`, now 0) could do while the network runs'
                )
            line = (
                f'Label making: the network waited {jobs:.0%} of the time for refinement and '
                f'writing, whose workers were busy {busy:.0%} of the time'
            )
            advice = f'. More `num_workers` (now {self.workers}) or cores would help'
            return line + advice if busy > _MOST else line
        idle = (
            f'; `num_workers` (now {self.workers}) idled {1 - busy:.0%} of the time'
            if self.workers
            else ''
        )
        if images > _MUCH:
            return (
                f'Label making: the network waited {images:.0%} of the time for images. More '
                f'`test_dataloader.num_workers` or a faster disk would help{idle}'
            )
        return (
            f'Label making: the network and the main process worked {1 - jobs - images:.0%} of the '
            f'time{idle}'
        )
