"""Score files, proportion files and MXNet parameters that are not what they should be."""

import io
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from reference.mxnet_writer import LEGACY, V1, V2, V3, array_bytes, list_bytes, params_bytes

from faults.malformed import Case, Malformed, mutations, not_files, same
from mmwsss.apis.mxnet_file import read_arrays
from mmwsss.structures import is_valid_scores, read_proportions, read_scores

pytestmark = pytest.mark.slow

SCORES = np.linspace(0, 1, 24, dtype=np.float16).reshape(2, 3, 4)
SCORE_ARRAYS = dict(scores=SCORES, classes=np.array([3]), fingerprint=np.array('stamp-label'))
SHARES = np.array([[0.25, 0.5], [0.0, 1.0]])
SHARE_ARRAYS = dict(
    ids=np.array(['a', 'sub/b']), proportions=SHARES, classes=np.array(['cat', 'dog'])
)
MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
PARAMETERS = {'arg:a': MATRIX, 'aux:b': MATRIX[0]}


def npy(array, *, version=1, **changes):
    """An array as npy; `changes` apply to its header."""
    header = dict(descr=array.dtype.str, fortran_order=False, shape=array.shape)
    text = repr({**header, **changes}).encode('latin-1')
    text = text.ljust(118) + b'\n' if len(text) < 118 else text + b'\n'
    length = struct.pack('<H' if version == 1 else '<I', len(text))
    content = array.tobytes(order='C') if array.dtype != object else b''
    return b'\x93NUMPY' + bytes([version, 0]) + length + text + content


def npz(members, *, method=zipfile.ZIP_DEFLATED, suffix='.npy'):
    """Members, a list of name and bytes, as one archive."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, 'w', method) as archive:
        warnings.simplefilter('ignore')  # about duplicate names
        for name, content in members:
            archive.writestr(f'{name}{suffix}', content)
    return buffer.getvalue()


def arrays(source, **changes):
    """The bytes of a good file with some arrays, or some bytes, replaced."""
    content = {**source, **changes}
    return npz(
        [(k, v if isinstance(v, bytes) else npy(v)) for k, v in content.items() if v is not None]
    )


def listed(content, offset, value, code='I'):
    """Change a field of the first entry in the archive's list of contents."""
    changed = bytearray(content)
    struct.pack_into(f'<{code}', changed, changed.index(b'PK\x01\x02') + offset, value)
    return bytes(changed)


def damaged_archives(source, key):
    """Mistakes that any npz can have: in its archive, or in one of its arrays."""
    good, array = arrays(source), source[key]
    members = [(name, npy(value)) for name, value in source.items()]
    bomb = npy(np.zeros((1, 1, 1), np.float16), shape=(1, 1 << 15, 1 << 14)) + bytes((1 << 30) - 2)
    return {
        'a bare array': npy(array),
        'no array': npz([]),
        'an array is missing': arrays(source, **{key: None}),
        'another suffix': npz(members, suffix='.txt'),
        'an array twice': npz([*members, (key, npy(array))]),
        'encrypted': listed(good, 8, 1, 'H'),
        'an unknown compression': listed(good, 10, 99, 'H'),
        'a wrong checksum': listed(good, 16, 1),
        'a size of 2 GiB in the list': listed(good, 24, 1 << 31),
        'a size of 4 GiB in the list': listed(good, 24, 0xFFFFFFFE),
        'a size of 0 in the list': listed(good, 24, 0),
        'an offset beyond the file': listed(good, 42, 1 << 30),
        'no list of contents': good[: good.index(b'PK\x01\x02')],
        'no end': good[:-22],
        '24 GiB claimed': arrays(source, **{key: npy(array, shape=(3, 1 << 16, 1 << 16))}),
        'more than any memory claimed': arrays(source, **{key: npy(array, shape=(1 << 62, 4))}),
        'a product beyond 64 bits': arrays(source, **{key: npy(array, shape=(1 << 40,) * 3)}),
        'a negative shape': arrays(source, **{key: npy(array, shape=(-1,))}),
        'two negative sizes': arrays(source, **{key: npy(array, shape=(-2, -array.size // 2))}),
        'a shape of text': arrays(source, **{key: npy(array, shape='(2,)')}),
        'a shape of halves': arrays(source, **{key: npy(array, shape=(1.5, 2))}),
        'too few values': arrays(source, **{key: npy(array)[:-1]}),
        'values too many': arrays(source, **{key: npy(array) + b'0'}),
        'objects': arrays(source, **{key: npy(np.array([{}]), descr='|O')}),
        'records': arrays(source, **{key: npy(array, descr=[('a', '<f4')])}),
        'an unknown type': arrays(source, **{key: npy(array, descr='<q9')}),
        'times': arrays(source, **{key: npy(np.array([1], 'M8[s]'))}),
        'code as header': arrays(source, **{key: npy(array, descr='__import__("os")')}),
        'version 9': arrays(source, **{key: b'\x93NUMPY\x09\0' + bytes(100)}),
        'no header': arrays(source, **{key: b'NUMPY'}),
        'empty member': arrays(source, **{key: b''}),
        'a header without an end': arrays(source, **{key: b'\x93NUMPY\1\0\xff\xff{'}),
        'a header of 4 GiB': arrays(source, **{key: b'\x93NUMPY\2\0\xff\xff\xff\xff{'}),
        'a header of brackets': arrays(
            source, **{key: b'\x93NUMPY\1\0' + struct.pack('<H', 9000) + b'(' * 9000}
        ),
        'a header of minus signs': arrays(
            source, **{key: b'\x93NUMPY\1\0' + struct.pack('<H', 9000) + b'-' * 8999 + b'1'}
        ),
        'values of 1 GiB in 1 MB': npz([(key, bomb), *[m for m in members if m[0] != key]]),
        'complex values': arrays(source, **{key: npy(np.ones(2, np.complex64))}),
        'no values': arrays(source, **{key: npy(np.zeros((0,)))}),
    }


def score_cases():
    wrong = {
        'a row too few': dict(scores=SCORES[:1]),
        'no row': dict(scores=SCORES[:0], classes=np.zeros(0, np.int64)),
        'two axes': dict(scores=SCORES[0]),
        'whole numbers': dict(scores=np.ones((2, 3, 4), np.int64)),
        'text': dict(scores=np.full((2, 3, 4), 'a')),
        'NaN': dict(scores=np.full((2, 3, 4), np.nan)),
        'infinity': dict(scores=np.full((2, 3, 4), -np.inf, np.float32)),
        'a class twice': dict(scores=np.ones((3, 3, 4)), classes=np.array([3, 3])),
        'a negative class': dict(classes=np.array([-1])),
        'a class of 254': dict(classes=np.array([254])),
        'a class beyond 63 bits': dict(classes=np.array([1 << 63], np.uint64)),
        'half a class': dict(classes=np.array([0.5])),
        'classes of text': dict(classes=np.array(['3'])),
        'a table of classes': dict(classes=np.array([[3]])),
        'one class, no list': dict(classes=np.array(3)),
        'complex classes': dict(scores=SCORES[:1], classes=np.zeros(0, np.complex64)),
    }
    for name, content in damaged_archives(SCORE_ARRAYS, 'scores').items():
        yield Case(f'scores: {name}', read_scores, content)
    for name, content in damaged_archives(SCORE_ARRAYS, 'fingerprint').items():
        stale = lambda path: is_valid_scores(path, 'stamp')  # noqa: E731
        yield Case(f'stamp: {name}', stale, content, False)
    for name, changes in wrong.items():
        yield Case(f'scores: {name}', read_scores, arrays(SCORE_ARRAYS, **changes))
    good = (SCORES, np.array([3]))
    right = {
        'other arrays too': arrays(SCORE_ARRAYS, more=npy(np.array([{}]), descr='|O')),
        'big-endian': arrays(SCORE_ARRAYS, scores=SCORES.astype('>f8')),
        'the order of Fortran': arrays(
            SCORE_ARRAYS, scores=npy(SCORES.T, shape=SCORES.shape, fortran_order=True)
        ),
        'double precision': arrays(SCORE_ARRAYS, scores=SCORES.astype(np.float64)),
        'bytes as classes': arrays(SCORE_ARRAYS, classes=np.array([3], np.uint8)),
        'version 2': arrays(SCORE_ARRAYS, scores=npy(SCORES, version=2)),
        'not compressed': npz([(k, npy(v)) for k, v in SCORE_ARRAYS.items()], method=0),
        'compressed by LZMA': npz([(k, npy(v)) for k, v in SCORE_ARRAYS.items()], method=14),
        'bytes before the archive': b'#!/bin/sh\n' + arrays(SCORE_ARRAYS),
    }
    for name, content in right.items():
        yield Case(f'scores: {name}', read_scores, content, good)
    for name, make in not_files().items():
        yield Case(f'scores: {name}', read_scores, make)
        yield Case(f'stamp: {name}', lambda path: is_valid_scores(path, 'stamp'), make, False)


def proportion_cases():
    wrong = {
        'above 1': dict(proportions=SHARES * 2),
        'below 0': dict(proportions=-SHARES),
        'NaN': dict(proportions=SHARES * np.nan),
        'whole numbers': dict(proportions=np.ones((2, 2), np.int64)),
        'transposed': dict(proportions=np.zeros((1, 2))),
        'one axis': dict(proportions=SHARES[0]),
        'an id twice': dict(ids=np.array(['a', 'a'])),
        'a class twice': dict(classes=np.array(['cat', 'cat'])),
        'ids of numbers': dict(ids=np.arange(2)),
        'ids of bytes': dict(ids=np.array([b'a', b'b'])),
        'a table of ids': dict(ids=np.array([['a', 'b']])),
        'ids of no characters': dict(ids=npy(np.zeros(2, '<U1'), descr='<U0')[:-8]),
        'characters that do not exist': dict(
            ids=npy(np.array(['a', 'b']))[:-8] + b'\xff\xff\xff\x7f' * 2
        ),
    }
    for key in SHARE_ARRAYS:
        for name, content in damaged_archives(SHARE_ARRAYS, key).items():
            yield Case(f'proportions, {key}: {name}', read_proportions, content)
    for name, changes in wrong.items():
        yield Case(f'proportions: {name}', read_proportions, arrays(SHARE_ARRAYS, **changes))
    for name, make in not_files().items():
        yield Case(f'proportions: {name}', read_proportions, make)
    good = (('a', 'sub/b'), SHARES, ('cat', 'dog'))
    single = arrays(SHARE_ARRAYS, proportions=SHARES.astype('>f4'))
    yield Case('proportions: single precision, big-endian', read_proportions, single, good)


def mxnet_cases():
    for version in (LEGACY, V1, V2, V3):
        content = params_bytes(PARAMETERS, version)
        for length in range(0, len(content), 4):
            yield Case(f'MXNet {version}: cut at {length}', read_arrays, content[:length])
    wrong = {
        'another magic': b'\x13' + params_bytes(PARAMETERS)[1:],
        'other byte order': struct.pack('>QQQ', 0x112, 0, 1) + bytes(100),
        'arrays without number': struct.pack('<QQQ', 0x112, 0, 2**64 - 1) + bytes(8000),
        'a name of 2**63 bytes': list_bytes([array_bytes(MATRIX)], [])[:-8]
        + struct.pack('<QQ', 1, 2**63),
        'names without arrays': list_bytes([], ['a']),
        'sparse': list_bytes([array_bytes(MATRIX, V2, storage=1)], ['a']),
        'an unknown type': list_bytes([array_bytes(MATRIX, V2, kind=99)], ['a']),
        'a negative type': list_bytes([array_bytes(MATRIX, V2, kind=-1)], ['a']),
        '33 axes': list_bytes([struct.pack('<II', V1, 33)], ['a']),
        '2**31 axes': list_bytes([struct.pack('<II', V1, 1 << 31)], ['a']),
        'minus two axes': list_bytes([struct.pack('<Iii', V3, 0, -2)], ['a']),
        'a negative size': list_bytes([struct.pack('<IIq', V1, 1, -4)], ['a']),
        'a size of 2**62': list_bytes([struct.pack('<IIqiii', V1, 1, 1 << 62, 1, 0, 0)], ['a']),
        'a product of 2**80': list_bytes(
            [struct.pack('<IIqqiii', V1, 2, 1 << 40, 1 << 40, 1, 0, 0)], ['a']
        ),
        'two arrays of one name': list_bytes([array_bytes(MATRIX)] * 2, ['a', 'a']),
        'a name that is no text': list_bytes([array_bytes(MATRIX)], ['name']).replace(
            b'name', b'\xff\xfe\xff\xfe'
        ),
    }
    for name, content in wrong.items():
        yield Case(f'MXNet: {name}', read_arrays, content)
    for name, make in not_files().items():
        yield Case(f'MXNet: {name}', read_arrays, make)


def mutants():
    proportions = (('a', 'sub/b'), SHARES, ('cat', 'dog'))
    samples = [
        # Archives have checksums: what is read must be what was written.
        (read_scores, arrays(SCORE_ARRAYS), (SCORES, np.array([3]))),
        (read_proportions, arrays(SHARE_ARRAYS), proportions),
        (read_arrays, params_bytes(PARAMETERS, V2), None),
    ]
    for seed, (read, content, good) in enumerate(samples):
        for name, mutant in mutations(content, 120, seed):
            yield Case(f'{read.__name__}: {name}', read, mutant, _either(good))


def _either(good):
    """Refused, or equal to the good content; anything, for a format without checksums."""
    return (
        (lambda result: isinstance(result, dict))
        if good is None
        else (lambda result: same(tuple(result), good))
    )


MAKERS = [score_cases, proportion_cases, mxnet_cases, mutants]


@pytest.mark.parametrize('make', MAKERS)
def test_arrays_that_are_malformed_are_refused_in_one_line(make, tmp_path):
    malformed = Malformed(f'arrays ({make.__name__})', Path(tmp_path))
    for case in make():
        malformed.run(case, '.bin')
    malformed.check()


def test_at_least_400_malformed_arrays_are_made():
    assert sum(1 for make in MAKERS for _ in make()) >= 400
