"""Progress with an estimate of the time left: a bar on a terminal, log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import TypeVar

from mmengine.dist import is_main_process
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

Item = TypeVar('Item')
_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Show how many of `total` items are done, on the first rank alone.

    Args:
        title: What is being done.
        total: Number of items.
        logger: Where lines go when there is no terminal.
    """

    def __init__(self, title: str, total: int, logger: logging.Logger) -> None:
        self._title = title
        self._total = total
        self._logger = logger
        self._bar: RichProgress | None = None
        if is_main_process() and sys.stderr.isatty():
            columns = [
                TextColumn('{task.description}'),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            ]
            self._bar = RichProgress(*columns)
            self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> 'Progress':
        """Start the clock."""
        self._start = self._last_line = time.monotonic()
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal in order, also after an error."""
        if self._bar is not None:
            self._bar.stop()

    def iterate(self, items: Iterable[Item]) -> Iterator[Item]:
        """Give one item after the other; each is finished when the next is asked for."""
        for done, item in enumerate(items, start=1):
            yield item
            self.update(done)

    def update(self, done: int) -> None:
        """Say that `done` items are finished."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
            return
        now = time.monotonic()
        if is_main_process() and (
            done == self._total or now - self._last_line > _SECONDS_BETWEEN_LINES
        ):
            self._last_line = now
            rate = done / max(now - self._start, 1e-9)
            left = timedelta(seconds=round((self._total - done) / rate))
            self._logger.info(
                f'{self._title} {done}/{self._total}, {rate:.1f} per second, {left} left'
            )
