"""What a command shows: stages, progress, notices and each warning once. Logs hold the rest."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

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

    Args:
        replaced: Handlers of the log that no stage has, while this one is in their place.

    Attributes:
        bars: The bars, None where there is no terminal.
    """

    def __init__(self, replaced: list[logging.Handler]) -> None:
        super().__init__()
        self.replaced = replaced
        self._screen = new_screen()
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
        """Show a notice, or a warning that is new."""
        line = record.getMessage()
        if record.levelno >= logging.WARNING:
            if line in self._shown or line.startswith(_KNOWN):
                return
            self._shown.add(line)
            self.print(f'{record.levelname.lower()}: {line}')
        elif getattr(record, 'notice', False):
            self.print(f'  {line}')

    def print(self, line: str) -> None:
        """Print a line on the first rank."""
        if _talks():
            self._screen.print(line, soft_wrap=True, markup=False, highlight=False)


_console: Console | None = None


@contextmanager
def calm_console() -> Iterator[None]:
    """Show little of the logs inside, see :class:`Console`; Python's warnings become log lines."""
    global _console
    general = MMLogger.get_instance('mmengine')  # the log before a stage has its own
    _console = console = Console(list(general.handlers))
    show_warning = warnings.showwarning
    calm(general)
    warnings.showwarning = _log_warning
    try:
        yield
    finally:
        if console.bars is not None:
            console.bars.stop()
        show_everything()
        warnings.showwarning = show_warning


def show_everything() -> None:
    """Print all logs from now on, inside :func:`calm_console` as well."""
    global _console
    if _console is not None:
        MMLogger.get_instance('mmengine').handlers[:] = _console.replaced
    _console = None


def calm(logger: MMLogger) -> None:
    """Let a log print only what :class:`Console` shows; its file keeps everything."""
    if _console is not None:
        files = [one for one in logger.handlers if isinstance(one, logging.FileHandler)]
        logger.handlers[:] = [*files, _console]


def say(line: str) -> None:
    """Print a line, on the first rank."""
    if _console is not None:
        _console.print(line)
    elif _talks():
        print(line, flush=True)


def bars() -> RichProgress | None:
    """Give the bars of the terminal, if lines of a log do not disturb them."""
    return _console.bars if _console is not None and _talks() else None


def new_screen() -> RichConsole:
    """Write to standard output, without control characters unless it is a terminal."""
    in_notebook = 'JPY_PARENT_PID' in os.environ  # which runs commands on a terminal without lines
    return RichConsole(force_terminal=sys.stdout.isatty() and not in_notebook)


def _talks() -> bool:
    """Say whether this is the first rank, also before the ranks are connected."""
    launched = [os.environ[name] for name in _RANKS if os.environ.get(name)]
    return is_main_process() and launched[:1] in ([], ['0'])


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = f'{category.__name__}: {message} ({filename}, line {lineno})'
    MMLogger.get_current_instance().warning(text)
