"""One run at a time in a folder."""

import errno
import logging
import os
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.logging import print_log

from mmwsss.engine.ranks import run_on_ranks
from mmwsss.structures import UserInputError
from mmwsss.structures.atomic_files import remove_leftovers

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]  # checked before every use

_NAME = '.lock'
# Folders that this process holds, with its id: a fork does not hold those of its parent.
_held: Counter[tuple[int, Path]] = Counter()


@contextmanager
def hold_folder(folder: Path, *, subfolders: Iterable[Path] = ()) -> Iterator[None]:
    """Keep other runs out of a folder, on behalf of all ranks; the folder is made if missing.

    The first rank holds a POSIX record lock on ``<folder>/.lock``. The kernel releases it when that
    process ends, however it ends. Unlike a lock of ``flock``, it is not shared with forked workers,
    so nothing is left to clean up. It works across all machines of a network file system. The file
    stays, because removing it would let two runs hold two files of the same name. The holder of a
    folder may hold it again. Temporary files of killed runs are removed. Folders below may be held
    by other runs, so only the named ones are cleaned.

    Args:
        folder: The folder.
        subfolders: Folders below, existing or not, to which only the holder writes.

    Raises:
        UserInputError: On all ranks, if another run holds the folder or it cannot be written to.
    """
    key = os.getpid(), folder.resolve()
    descriptors = run_on_ranks(lambda: _lock(folder, subfolders) if _is_first_holder(key) else None)
    _held[key] += 1
    try:
        yield
    finally:
        _held[key] -= 1
        if is_main_process() and descriptors[0] is not None:
            os.close(descriptors[0])


def _is_first_holder(key: tuple[int, Path]) -> bool:
    # Closing a second descriptor of the file would release the lock of the first.
    return is_main_process() and not _held[key]


def _lock(folder: Path, subfolders: Iterable[Path]) -> int:
    """Lock a folder and return the open file, which holds the lock until it is closed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserInputError(
            f'{folder / _NAME} cannot be written: {error.strerror}. Name another folder, or repair '
            'this one.'
        ) from error
    try:
        if _ask_for(descriptor, folder):
            for cleaned in (folder, *subfolders):
                remove_leftovers(cleaned)
    except UserInputError:
        os.close(descriptor)
        raise
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f'process {os.getpid()} on {socket.gethostname()}'.encode(), 0)
    return descriptor


def _ask_for(descriptor: int, folder: Path) -> bool:
    """Ask for the lock; tell whether it was granted."""
    try:
        if fcntl is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            holder = os.pread(descriptor, 1000, 0).decode(errors='replace') or 'another process'
            raise UserInputError(
                f'{folder} is in use by {holder}. Wait until it ends, stop it, or name another '
                'folder.'
            ) from error
        print_log(
            f'{folder} cannot be locked ({error.strerror}): make sure that no other run uses it.',
            'current',
            logging.WARNING,
        )
        return False
    return True
