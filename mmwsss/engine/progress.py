"""Progress with an estimate of the time left: a bar on a terminal, a few log lines elsewhere."""

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import TypeVar

from mmengine.dist import is_main_process

from mmwsss.engine.console import bars
from mmwsss.structures.notices import NOTICE

Item = TypeVar('Item')
_SECONDS_BETWEEN_REFRESHES = 0.1
_SECONDS_BETWEEN_LINES = 30.0
# Of work that takes days, whatever part is done.
_SECONDS_UNTIL_NEXT_LINE = 600.0
_PART_BETWEEN_LINES = 0.1
_ITEMS_BEFORE_LINE = 10


class Progress:
    """Show how many of `total` items are done, only on the first rank.

    Without a terminal a line comes after 30 seconds and ten items, and then after each tenth of the
    work, but at least 30 seconds and at most 10 minutes after the one before.

    Args:
        title: What is being done.
        total: Number of items.
        logger: Where lines go when there is no terminal.
        done: Items that an earlier run has finished.
    """

    def __init__(self, title: str, total: int, logger: logging.Logger, *, done: int = 0) -> None:
        self._title = title
        self._total = total
        self._logger = logger
        self._done_before = done
        # Items after which a line is due: the first ones take longer, so they predict little.
        self._next_line = done + min(_ITEMS_BEFORE_LINE, round(_PART_BETWEEN_LINES * total))
        self._bars = bars()

    def start(self) -> None:
        """Start the clock and show the bar."""
        self._start = self._last = time.monotonic()
        if self._bars is not None:
            self._task = self._bars.add_task(
                self._title, total=self._total, completed=self._done_before
            )
            self._bars.start()
            self._bars.refresh()

    def stop(self) -> None:
        """Take the bar from the terminal."""
        if self._bars is not None:
            self._bars.remove_task(self._task)
            if not self._bars.tasks:
                self._bars.stop()

    def __enter__(self) -> 'Progress':
        """Start the clock."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal in order, also after an error."""
        self.stop()

    def iterate(self, items: Iterable[Item]) -> Iterator[Item]:
        """Give one item after the other; each is finished when the next is asked for."""
        for done, item in enumerate(items, start=1):
            yield item
            self.update(done)

    def update(self, done: int) -> None:
        """Say that `done` items are finished."""
        now = time.monotonic()
        passed = now - self._last
        if self._bars is not None:
            self._bars.update(self._task, completed=done)
            if passed > _SECONDS_BETWEEN_REFRESHES or done >= self._total:
                self._last = now
                self._bars.refresh()
        elif (passed > _SECONDS_BETWEEN_LINES and done >= self._next_line) or (
            passed > _SECONDS_UNTIL_NEXT_LINE
        ):
            self._last = now
            self._next_line = done + round(_PART_BETWEEN_LINES * self._total)
            self._log(done, now - self._start)

    def _log(self, done: int, seconds: float) -> None:
        seconds_each = seconds / (done - self._done_before)
        left = timedelta(seconds=round((self._total - done) * seconds_each))
        if is_main_process():
            self._logger.info(f'{self._title} {done}/{self._total}, {left} left', extra=NOTICE)
