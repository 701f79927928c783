"""Arrays of an npz file, read only after their claimed size was checked against the file."""

import io
import math
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmwsss.structures.input_files import check_file

MAX_ARRAY_BYTES = 1 << 30
"""Largest array, 1 GiB: half-precision scores of 8 classes at the size of the largest image."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class NPZError(Exception):
    """An npz file that is damaged or claims more than it holds; the message says what is wrong."""


class MissingArrayError(NPZError):
    """A file that lacks one of the arrays; it may be an npz of something else."""


def read_npz(
    path: str | Path,
    keys: Sequence[str],
    *,
    what: str,
    remedy: str,
    beside: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Read arrays of numbers or text from an npz file.

    ``np.load`` allocates whatever the header of an array claims. Here header and file must agree,
    and the size is limited to :data:`MAX_ARRAY_BYTES`.

    Args:
        path: Path of the file.
        keys: Names of the arrays to read; others are ignored.
        what: What the file is, for the message, such as ``'score file'``.
        remedy: A sentence on what to do if the file does not exist.
        beside: Names of arrays that must also be present but are not read.
        optional: Names of arrays to read if present.

    Returns:
        The arrays by name.

    Raises:
        UserInputError: If there is no such file.
        MissingArrayError: If it is an npz without one of the arrays, or a bare npy.
        NPZError: If it is damaged, or an array is too large or holds Python objects.
    """
    check_file(path, what, remedy=remedy)
    try:
        with zipfile.ZipFile(path) as archive:
            there = [key for key in optional if f'{key}.npy' in archive.namelist()]
            members = _members(archive, (*keys, *beside, *there))
            return {key: _read_array(archive, members[key]) for key in (*keys, *there)}
    except (NPZError, MemoryError):
        raise
    except Exception as error:  # zipfile and numpy fail in many ways; nothing else runs here
        if _is_bare_array(path):
            raise MissingArrayError('it is a single array') from error
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise NPZError(f'{reason:.200}') from error


def has_text(path: Path, key: str, text: str, *, beside: Sequence[str]) -> bool:
    """Whether an npz file holds a text, as numpy writes it, along with other arrays.

    Comparing bytes takes a quarter of the time that :func:`read_npz` needs to read the text.
    """
    buffer = io.BytesIO()
    np.save(buffer, np.array(text))
    if not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            member = _members(archive, (key, *beside))[key]
            same_size = member.file_size == len(buffer.getvalue())
            return same_size and archive.read(member) == buffer.getvalue()
    except Exception:  # as in read_npz: damaged in one of many ways
        return False


def _members(archive: zipfile.ZipFile, keys: Sequence[str]) -> dict[str, zipfile.ZipInfo]:
    names = [member.filename for member in archive.infolist()]
    counts = {key: names.count(f'{key}.npy') for key in keys}
    for key, count in counts.items():
        if count == 0:
            raise MissingArrayError(f'it has no {key!r}')
        if count > 1:
            raise NPZError(f'it has {key!r} {count} times')
    return {key: archive.getinfo(f'{key}.npy') for key in keys}


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.file_size > MAX_ARRAY_BYTES:
        raise NPZError(
            f'{member.filename} has {member.file_size} bytes, expected at most {MAX_ARRAY_BYTES}'
        )
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise NPZError(f'{member.filename} has an unknown version of the format, {version}')
        try:
            shape, _, dtype = _HEADERS[version](file)
        except MemoryError as error:  # raised by Python's parser, not by a lack of memory
            raise NPZError(f'{member.filename} has a damaged header') from error
        claimed = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.kind not in 'biufcSU' or dtype.itemsize == 0:
        raise NPZError(f'{member.filename} has values of type {dtype}, expected numbers or text')
    if claimed != member.file_size or any(size < 0 for size in shape):
        raise NPZError(
            f'{member.filename} claims the shape {shape} of {dtype}, {claimed} bytes, but has '
            f'{member.file_size}'
        )
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    if dtype.kind == 'U' and not _is_text(array):
        raise NPZError(f'{member.filename} is not text')
    return array


def _is_text(array: np.ndarray) -> bool:
    """Whether numpy can turn it into strings; invalid characters would crash the interpreter."""
    characters = np.ascontiguousarray(array).reshape(-1).view(f'{array.dtype.byteorder}u4')
    return not (characters > sys.maxunicode).any()


def _is_bare_array(path: str | Path) -> bool:
    prefix = np.lib.format.MAGIC_PREFIX
    with open(path, 'rb') as file:
        return file.read(len(prefix)) == prefix
