"""Files that appear under their name either complete or not at all."""

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = re.compile(r'\..+\.[0-9a-f]+\.tmp')
_KEPT_LETTERS = 40  # of the name, so that the temporary name is short enough for the file system


@contextmanager
def renamed_when_complete(path: Path) -> Iterator[Path]:
    """Give a temporary path that is renamed to ``path`` on success; missing folders are created.

    If writing fails, an existing file of that name is kept and nothing else is left behind. The
    temporary name, ``.<name>.<token>.tmp``, is random, because processes of several machines may
    write to one folder. The content reaches the disk before the name does, so that a power cut
    leaves no empty file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(8)
    temporary = path.with_name(f'.{path.name[:_KEPT_LETTERS]}.{token}.tmp')
    try:
        yield temporary
        with temporary.open('r+b') as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # the error of a full disk does not name it
        raise
    except RuntimeError as error:
        if 'PytorchStreamWriter' not in str(error):
            raise
        # PyTorch does not say why the disk refused it either.
        raise OSError(errno.ENOSPC, 'the disk is full or the file too large', str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; see :func:`renamed_when_complete`."""
    with renamed_when_complete(path) as temporary, temporary.open('xb') as file:
        yield file


def write_atomically(path: Path, content: bytes) -> None:
    """Write the whole content of a file; see :func:`open_atomically`."""
    with open_atomically(path) as file:
        file.write(content)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed runs left behind.

    Args:
        folder: Folder to which no other process is writing now; subfolders are left alone.
    """
    for path in folder.glob('.*.tmp'):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)
