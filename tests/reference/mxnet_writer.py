"""Parameter files of MXNet, written field by field as its versions wrote them."""

import struct

import numpy as np

V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
LEGACY = None
TYPES = {'f4': 0, 'f8': 1, 'f2': 2, 'u1': 3, 'i4': 4, 'i1': 5, 'i8': 6}


def array_bytes(array, version=V2, *, storage=0, kind=None):
    """One array; ``None`` is an empty array."""
    content = b''
    if version is not LEGACY:
        content += struct.pack('<I', version)
    if version in (V2, V3):
        content += struct.pack('<i', storage)
    if array is None:
        return content + struct.pack('<i', -1 if version == V3 else 0)
    content += struct.pack('<i', array.ndim)
    size_code = 'I' if version is LEGACY else 'q'
    content += struct.pack(f'<{array.ndim}{size_code}', *array.shape)
    content += struct.pack('<ii', 1, 0)  # CPU, number 0
    content += struct.pack('<i', TYPES[array.dtype.str[1:]] if kind is None else kind)
    return content + np.ascontiguousarray(array).tobytes()


def list_bytes(arrays, names):
    """Encoded arrays and their names, as a file."""
    content = struct.pack('<QQQ', 0x112, 0, len(arrays)) + b''.join(arrays)
    content += struct.pack('<Q', len(names))
    for name in names:
        content += struct.pack('<Q', len(name)) + name.encode()
    return content


def params_bytes(arrays, version=V2):
    """A dict of named arrays as a file."""
    return list_bytes([array_bytes(a, version) for a in arrays.values()], list(arrays))
