"""Files given by a user: opened only if they are regular files, and read up to a size limit."""

import os
import stat
from pathlib import Path

from mmwsss.structures.errors import UserInputError

MAX_TEXT_BYTES = 1 << 30
"""Limit on lists and JSON, 1 GiB: about 25 million image ids, or twice the JSON of COCO."""


def check_file(path: str | Path, what: str, *, remedy: str = '') -> int:
    """Return the size of a regular file in bytes; opening a pipe could block for ever.

    Args:
        path: Path of the file.
        what: What the file is, for the message, such as ``'label file'``.
        remedy: A sentence on what to do if the file does not exist.

    Raises:
        UserInputError: If the path does not exist, or is a folder, a pipe or a device.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserInputError(
            f'The {what} {str(path)!r} does not exist. {remedy}'.rstrip()
        ) from error
    except (OSError, ValueError) as error:  # a loop of links, no permission, a byte 0 in the name
        raise _cannot_open(path, what, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise UserInputError(f'The {what} {str(path)!r} is a folder. Name the file itself.')
    if not stat.S_ISREG(status.st_mode):
        raise UserInputError(
            f'The {what} {str(path)!r} is a pipe or a device. Save it as a file first.'
        )
    return status.st_size


def read_bytes(path: str | Path, what: str, *, max_bytes: int, remedy: str = '') -> bytes:
    """Read a whole file.

    Args:
        path: Path of the file.
        what: What the file is, for the message.
        max_bytes: Largest plausible size of such a file.
        remedy: A sentence on what to do if the file does not exist.

    Raises:
        UserInputError: If there is no such file, or it is too large or cannot be read.
    """
    size = check_file(path, what, remedy=remedy)
    if size > max_bytes:
        raise UserInputError(
            f'The {what} {str(path)!r} has {size} bytes; expected at most {max_bytes}. Check that '
            'this is the right file.'
        )
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _cannot_open(path, what, error) from error


def read_text(path: str | Path, what: str, *, remedy: str = '') -> str:
    """Read UTF-8 text, with or without a byte order mark; arguments as in :func:`read_bytes`.

    Raises:
        UserInputError: If there is no such file, or it cannot be read or is not UTF-8.
    """
    content = read_bytes(path, what, max_bytes=MAX_TEXT_BYTES, remedy=remedy)
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise UserInputError(
            f'The {what} {str(path)!r} is not UTF-8 text: {error.reason} at byte {error.start}. '
            'Save it as UTF-8.'
        ) from error


def _cannot_open(path: str | Path, what: str, error: OSError | ValueError) -> UserInputError:
    reason = getattr(error, 'strerror', None) or error
    return UserInputError(f'The {what} {str(path)!r} cannot be opened: {reason}.')
