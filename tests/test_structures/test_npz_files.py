"""Npz files that do not hold what they claim."""

import io
import zipfile

import numpy as np
import pytest

from mmwsss.structures import UserInputError, is_valid_scores, read_proportions, read_scores


def npy_bytes(array, shape=None):
    """An array as npy; ``shape`` writes another one into the header."""
    buffer = io.BytesIO()
    header = dict(
        descr=array.dtype.str, fortran_order=False, shape=array.shape if shape is None else shape
    )
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + array.tobytes()


def write_npz(path, *members):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(f'{name}.npy', content)
    return path


CLASSES = ('classes', npy_bytes(np.zeros(0, dtype=np.int64)))
ONE = np.ones((1, 2, 3), dtype=np.float16)


@pytest.mark.parametrize('shape', [(3, 2**16, 2**16), (2**40, 2**40), (-1, -2, 3)])
def test_an_array_that_claims_24_gib_is_refused_without_taking_them(tmp_path, shape):
    path = write_npz(tmp_path / 'a.npz', ('scores', npy_bytes(ONE, shape)), CLASSES)
    with pytest.raises(UserInputError, match=r"a\.npz' cannot be read: scores\.npy claims"):
        read_scores(path)


def test_a_member_of_2_gib_is_refused_by_its_size(tmp_path):
    path = write_npz(tmp_path / 'a.npz', ('scores', npy_bytes(ONE)), CLASSES)
    content = bytearray(path.read_bytes())
    size = content.index(b'PK\x01\x02') + 24  # in the list of contents
    content[size : size + 4] = (2**31).to_bytes(4, 'little')
    path.write_bytes(content)
    with pytest.raises(UserInputError, match=r'scores\.npy has 2147483648 bytes, expected at most'):
        read_scores(path)


def test_an_array_that_is_there_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match='Duplicate name'):
        path = write_npz(
            tmp_path / 'a.npz', ('scores', npy_bytes(ONE)), ('scores', npy_bytes(2 * ONE)), CLASSES
        )
    with pytest.raises(UserInputError, match="it has 'scores' 2 times"):
        read_scores(path)


def test_a_damaged_header_is_no_valid_score_file_and_no_crash(tmp_path):
    # Too much for Python's parser, which then reports a lack of memory.
    stamp = b'\x93NUMPY\1\0' + (9000).to_bytes(2, 'little') + b'-' * 8999 + b'1'
    members = [('scores', npy_bytes(ONE)), CLASSES, ('fingerprint', stamp)]
    assert not is_valid_scores(write_npz(tmp_path / 'a.npz', *members), 'stamp')


def test_text_that_is_no_text_is_refused(tmp_path):
    ids = npy_bytes(np.array(['a'])).replace(np.array(['a']).tobytes(), b'\xff' * 4)
    shares = npy_bytes(np.zeros((1, 1)))
    members = [('ids', ids), ('proportions', shares), ('classes', npy_bytes(np.array(['c'])))]
    with pytest.raises(UserInputError, match=r'a\.npz'):
        read_proportions(write_npz(tmp_path / 'a.npz', *members))
