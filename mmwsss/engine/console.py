"""What a command shows: stages, progress, notices and each warning once. Logs hold the rest."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from mmengine.dist import get_rank
from mmengine.logging import MMLogger
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from mmwsss.engine.screen import Screen

# What libraries warn of in every run, and nobody can act on.
_KNOWN = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'The prefix is not set in metric class',
    'UserWarning: When align_corners=True, the output would more aligned',
    'UserWarning: Setting OMP_NUM_THREADS environment variable',
    'UserWarning: Setting MKL_NUM_THREADS environment variable',
)
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


class Console(logging.Handler):
    """Shows what people should see of all logs, above the bars of what is going on.

    Bars need a terminal; elsewhere :class:`~mmwsss.engine.progress.Progress` logs a few lines.

    Attributes:
        bars: The bars, None where there is no terminal.
        show_warning: What showed Python's warnings before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.show_warning = warnings.showwarning
        self._replaced: dict[MMLogger, list[logging.Handler]] = {}
        self._screen = Screen()
        self._shown: set[str] = set()
        self.bars: RichProgress | None = None
        if self._screen.is_terminal and not self._screen.is_dumb_terminal:
            # A thread that refreshes them could hold a lock while a data loader forks its workers.
            self.bars = RichProgress(
                TextColumn('  {task.description}'),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._screen,
                auto_refresh=False,
                transient=True,
            )

    def emit(self, record: logging.LogRecord) -> None:
        """Show a notice or a new warning of the first rank, or an error of any."""
        line = record.getMessage()
        if record.levelno >= logging.ERROR:
            rank = '' if _talks() else f'rank {_rank()}: '  # which has no file
            self.print(f'{rank}{record.levelname.lower()}: {line}')
        elif not _talks():
            return
        elif record.levelno >= logging.WARNING:
            same = getattr(record, 'same', line)
            if same not in self._shown and not line.startswith(_KNOWN):
                self._shown.add(same)
                self.print(f'warning: {line}')
        elif getattr(record, 'notice', False):
            self.print(f'  {line}')

    def print(self, line: str) -> None:
        """Print a line."""
        self._screen.print_line(line)

    def replace_handlers(self, logger: MMLogger) -> None:
        """Take the place of a log's handlers, except its files."""
        before = self._replaced.setdefault(logger, list(logger.handlers))
        files = [one for one in before if isinstance(one, logging.FileHandler)]
        logger.handlers[:] = [*files, self]

    def restore_handlers(self) -> None:
        """Give all logs their handlers back."""
        for logger, handlers in self._replaced.items():
            logger.handlers[:] = handlers


_console: Console | None = None


@contextmanager
def calm_console() -> Iterator[None]:
    """Show little of the logs inside, see :class:`Console`; Python's warnings become log lines."""
    global _console
    before = _console
    _console = console = Console()
    calm(MMLogger.get_instance('mmengine'))  # the log before a stage has its own
    warnings.showwarning = _log_warning
    try:
        yield
    finally:
        if console.bars is not None:
            console.bars.stop()
        console.restore_handlers()
        warnings.showwarning = console.show_warning
        _console = before


def show_everything() -> None:
    """Print all logs from now on, inside :func:`calm_console` as well."""
    global _console
    if _console is None:
        return
    _console.restore_handlers()
    if not _talks():
        warnings.showwarning = _console.show_warning
        # This log is older than the connection of the ranks, so it takes each for the first.
        for handler in MMLogger.get_instance('mmengine').handlers:
            handler.setLevel(logging.ERROR)
    _console = None


def calm(logger: MMLogger) -> None:
    """Let a log print only what :class:`Console` shows; its file keeps everything."""
    if _console is not None:
        _console.replace_handlers(logger)


def say(line: str) -> None:
    """Print a line, on the first rank."""
    if not _talks():
        return
    if _console is not None:
        _console.print(line)
    else:
        Screen().print_line(line)


def bars() -> RichProgress | None:
    """Give the bars of the terminal, if lines of a log do not disturb them."""
    return _console.bars if _console is not None and _talks() else None


def _talks() -> bool:
    """Say whether this is the first rank."""
    return _rank() == '0'


def _rank() -> str:
    """Number of this rank, also before the ranks are connected."""
    launched = [os.environ[name] for name in _RANKS if os.environ.get(name)]
    return str(get_rank() or next(iter(launched), 0))


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = f'{category.__name__}: {message}'
    # The same may be said in several places.
    MMLogger.get_current_instance().warning(
        f'{text} ({filename}, line {lineno})', extra={'same': text}
    )
