"""Standard output that a run outlives: no error of the screen ends it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from rich.console import Console


class Screen(Console):
    """Standard output, without control characters unless it is a terminal.

    What its encoding lacks becomes a question mark. After a write has failed, because the terminal
    was closed or nobody reads the pipe, everything that is written to standard output is lost.
    """

    def __init__(self) -> None:
        # A notebook runs commands on a terminal without lines.
        is_terminal = sys.stdout.isatty() and 'JPY_PARENT_PID' not in os.environ
        super().__init__(file=cast(TextIO, _Output()), force_terminal=is_terminal, emoji=False)

    def print_line(self, line: str) -> None:
        """Print a line as it is."""
        self.print(line, soft_wrap=True, markup=False, highlight=False)

    def show_cursor(self, show: bool = True) -> bool:
        """Leave the cursor visible: a run that is killed could not bring it back."""
        return False


class _Output:
    @property
    def _file(self) -> TextIO:
        # While bars are shown, rich has its own in place of standard output.
        return getattr(sys.stdout, 'rich_proxied_file', sys.stdout)

    @property
    def encoding(self) -> str:
        return getattr(self._file, 'encoding', None) or 'utf-8'

    def write(self, text: str) -> None:
        with self._without_errors():
            self._file.write(text.encode(self.encoding, 'replace').decode(self.encoding))

    def flush(self) -> None:
        with self._without_errors():
            self._file.flush()

    @contextmanager
    def _without_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)
