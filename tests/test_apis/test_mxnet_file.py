import struct

import numpy as np
import pytest
from reference.mxnet_writer import (
    LEGACY,
    TYPES,
    V1,
    V2,
    V3,
    array_bytes,
    list_bytes,
    params_bytes,
)

from mmwsss.apis.mxnet_file import read_arrays
from mmwsss.structures import UserInputError

MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def read(tmp_path):
    def read_content(content):
        path = tmp_path / 'net.params'
        path.write_bytes(content)
        return read_arrays(path)

    return read_content


def test_bytes_of_a_file_are_read_one_by_one(read):
    content = bytes.fromhex(
        '1201000000000000 0000000000000000 0100000000000000'  # list, reserved, one array
        'c9fa93f9 00000000'  # version 2, dense
        '01000000 0200000000000000'  # one dimension of 2
        '01000000 00000000 00000000'  # CPU 0, float32
        '0000803f 000000c0'  # 1, -2
        '0100000000000000 0500000000000000 6172673a77'  # one name of 5 letters, arg:w
    )
    arrays = read(content)
    assert list(arrays) == ['arg:w']
    assert arrays['arg:w'].tolist() == [1.0, -2.0]


@pytest.mark.parametrize('version', [LEGACY, V1, V2, V3])
def test_every_version_of_the_format_is_read(read, version):
    source = {'arg:a': MATRIX, 'aux:b': MATRIX[0, :1]}
    arrays = read(params_bytes(source, version))
    assert list(arrays) == list(source)
    for name, array in source.items():
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize('code', TYPES)
def test_every_type_of_elements_is_read(read, code):
    array = MATRIX.astype(f'<{code}')
    read_back = read(params_bytes({'a': array}))['a']
    assert read_back.dtype == array.dtype
    np.testing.assert_array_equal(read_back, array)


@pytest.mark.parametrize('version', [LEGACY, V1, V2, V3])
def test_an_array_of_nothing_is_followed_by_the_next_one(read, version):
    arrays = read(params_bytes({'nothing': None, 'a': MATRIX}, version))
    assert arrays['nothing'].shape == (0,)
    np.testing.assert_array_equal(arrays['a'], MATRIX)


def test_the_last_version_has_scalars(read):
    assert read(params_bytes({'a': np.array(7, np.float32)}, V3))['a'] == 7


def test_a_dimension_of_no_elements_has_no_content(read):
    arrays = read(params_bytes({'a': np.zeros((0, 5), np.float32), 'b': MATRIX}))
    assert arrays['a'].size == 0
    np.testing.assert_array_equal(arrays['b'], MATRIX)


def test_a_list_of_no_arrays_is_read(read):
    assert read(params_bytes({})) == {}


@pytest.mark.parametrize('version', [LEGACY, V1, V2, V3])
def test_a_file_that_is_cut_off_anywhere_is_refused(read, version):
    content = params_bytes({'arg:a': MATRIX, 'aux:b': MATRIX[0]}, version)
    for length in range(len(content)):
        with pytest.raises(UserInputError, match='is cut off'):
            read(content[:length])


def test_any_broken_byte_is_read_or_refused(read):
    content = params_bytes({'arg:a': MATRIX[:1], 'b': np.array(1, np.float32)}, V3)
    for position in range(len(content)):
        for value in (0, 1, 127, 255):
            try:
                read(content[:position] + bytes([value]) + content[position + 1 :])
            except UserInputError as error:
                assert 'net.params' in str(error)


@pytest.mark.parametrize(
    'content',
    [
        struct.pack('<QQQ', 0x112, 0, 2**63),
        struct.pack('<QQQ', 0x112, 0, 1)
        + struct.pack('<IiIqqiii', V2, 0, 2, 2**40, 2**40, 1, 0, 0),
    ],
)
def test_claimed_sizes_take_no_memory(read, content):
    with pytest.raises(UserInputError, match='is cut off'):
        read(content)


def test_a_file_that_is_none_of_mxnet_is_refused(read):
    with pytest.raises(UserInputError, match='does not start like'):
        read(b'PK' + bytes(100))


def test_a_missing_file_is_explained(tmp_path):
    with pytest.raises(UserInputError, match='does not exist'):
        read_arrays(tmp_path / 'none.params')


@pytest.mark.parametrize(
    ('array', 'reason'),
    [
        (array_bytes(MATRIX, V2, storage=1), r'array 0 is not dense \(storage type 1\)'),
        (array_bytes(MATRIX, V2, kind=12), 'elements of an unknown type, 12'),
        (array_bytes(MATRIX, V2, kind=-1), 'elements of an unknown type, -1'),
        (struct.pack('<I', 1000), 'invalid number of dimensions, 1000'),
        (struct.pack('<IiiI', V3, 0, -2, 0), 'invalid number of dimensions, -2'),
        (struct.pack('<IIq', V1, 1, -4), r'invalid shape, \(-4,\)'),
    ],
)
def test_an_array_that_cannot_be_read_is_named(read, array, reason):
    with pytest.raises(UserInputError, match=reason):
        read(list_bytes([array], ['a']))


def test_arrays_without_names_are_refused(read):
    with pytest.raises(UserInputError, match='number of names is 0, but that of arrays is 1'):
        read(list_bytes([array_bytes(MATRIX)], []))


def test_names_that_are_no_text_are_refused(read):
    content = list_bytes([array_bytes(MATRIX)], ['name'])
    with pytest.raises(UserInputError, match='is not text'):
        read(content.replace(b'name', b'\xff\xfe\xff\xfe'))
