"""Parameter files of MXNet, read without MXNet."""

import math
import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mmwsss.structures import UserInputError

_LIST_MAGIC = 0x112
# An array starts with one of these or, in the oldest files, with its number of dimensions.
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DENSE = 0
_TYPES = ('<f4', '<f8', '<f2', 'u1', '<i4', 'i1', '<i8')
_MAX_DIMS = 32


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read a list of named dense arrays, as ``mx.nd.save`` writes it.

    Sizes that the file claims without holding the values take no memory.

    Args:
        path: File, usually ``*.params``.

    Returns:
        Arrays by their names in the file, such as ``arg:conv1a_weight``. An array
        without elements has shape (0,).

    Raises:
        UserInputError: If the file does not exist, is not an MXNet file, is cut off, or holds
            sparse arrays or arrays without names.

    Source: the format of MXNet 1.x, from ``0xF993FAC8`` (V1) to ``0xF993FACA`` (V3), and the older
        format without a version number.
    """
    if not path.is_file():
        raise UserInputError(f'{path} does not exist.')
    with path.open('rb') as file:
        reader = _Reader(file, path)
        magic, _, count = reader.numbers('Q', 3)
        if magic != _LIST_MAGIC:
            raise reader.error('it does not start like a parameter file of MXNet')
        arrays: list[np.ndarray] = []
        while len(arrays) < count:  # every pass reads or fails, so even an absurd count ends
            arrays.append(reader.array(len(arrays)))
        names = [reader.name() for _ in range(reader.count_of_names(count))]
        if len(set(names)) < len(names):
            raise reader.error('two arrays in it have the same name')
    return dict(zip(names, arrays, strict=True))


class _Reader:
    """Reads little-endian values from the current position of a file."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file = file
        self.path = path
        self.left = os.fstat(file.fileno()).st_size

    def error(self, reason: str) -> UserInputError:
        return UserInputError(
            f'{self.path} cannot be read: {reason}. Name the complete file that mx.nd.save wrote.'
        )

    def raw(self, num_bytes: int) -> bytes:
        if num_bytes > self.left:
            raise self.error(f'it is cut off (bytes expected: {num_bytes}, left: {self.left})')
        self.left -= num_bytes
        return self.file.read(num_bytes)

    def numbers(self, code: str, count: int = 1) -> tuple[int, ...]:
        layout = f'<{count}{code}'
        return struct.unpack(layout, self.raw(struct.calcsize(layout)))

    def array(self, index: int) -> np.ndarray:
        (version,) = self.numbers('I')
        if version in (_V2, _V3):
            (storage,) = self.numbers('i')
            if storage != _DENSE:
                raise self.error(f'array {index} is not dense (storage type {storage})')
        shape = self.shape(version, index)
        if shape is None:
            return np.zeros(0, dtype=np.float32)
        _, _, kind = self.numbers('i', 3)  # device, its number, type of the elements
        if not 0 <= kind < len(_TYPES):
            raise self.error(f'array {index} has elements of an unknown type, {kind}')
        dtype = np.dtype(_TYPES[kind])
        if 0 in shape:
            return np.zeros(0, dtype)
        content = bytearray(self.raw(math.prod(shape) * dtype.itemsize))
        return np.frombuffer(content, dtype).reshape(shape)

    def shape(self, version: int, index: int) -> tuple[int, ...] | None:
        """Read the sizes; None if there is no array at all."""
        if version in (_V1, _V2, _V3):
            (dims,) = self.numbers('i' if version == _V3 else 'I')
            code = 'q'
        else:
            dims, code = version, 'I'
        # In the last version, no dimension means a scalar, and -1 means no array.
        if dims == (-1 if version == _V3 else 0):
            return None
        if not 0 <= dims <= _MAX_DIMS:
            raise self.error(f'array {index} has an invalid number of dimensions, {dims}')
        shape = self.numbers(code, dims)
        if any(size < 0 for size in shape):
            raise self.error(f'array {index} has an invalid shape, {shape}')
        return shape

    def count_of_names(self, num_arrays: int) -> int:
        (count,) = self.numbers('Q')
        if count != num_arrays:
            raise self.error(f'its number of names is {count}, but that of arrays is {num_arrays}')
        return count

    def name(self) -> str:
        try:
            return self.raw(*self.numbers('Q')).decode()
        except UnicodeDecodeError as error:
            raise self.error('a name in it is not text') from error
