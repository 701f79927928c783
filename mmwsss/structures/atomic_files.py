"""Files that appear under their name complete or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def renamed_when_complete(path: Path) -> Iterator[Path]:
    """Give a temporary name for a file that gets its own name in the end; folders are made.

    Where the writing fails, what was there under the name stays, alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say it
        raise
    except RuntimeError as error:
        if 'PytorchStreamWriter' not in str(error):
            raise
        # PyTorch does not say either what the disk refused.
        raise OSError(errno.ENOSPC, 'the disk is full or the file too large', str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing, see :func:`renamed_when_complete`."""
    with renamed_when_complete(path) as temporary, temporary.open('wb') as file:
        yield file


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whose content is at hand, see :func:`open_atomically`."""
    with open_atomically(path) as file:
        file.write(content)
