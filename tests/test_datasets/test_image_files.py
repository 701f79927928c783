"""Images and label maps that would be misread are refused before they are decoded."""

import io
import os
import resource
import struct
import zlib

import mmcv
import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.image_files import (
    read_grey_image,
    read_image,
    read_image_size,
    read_label_map,
)
from mmwsss.structures import UserInputError

LABEL = np.zeros((60, 80), dtype=np.uint8)
LABEL[10:40, 20:60], LABEL[30:50, 5:30] = 3, 7


def png_bytes(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, 'PNG', **options)
    return buffer.getvalue()


def chunk(kind, content):
    return (
        struct.pack('>I', len(content))
        + kind
        + content
        + struct.pack('>I', zlib.crc32(kind + content))
    )


def grey_png(width, height, bits, rows):
    """A greyscale PNG of few bits; ``rows`` are the packed rows, each after its filter byte."""
    header = struct.pack('>IIBBBBB', width, height, bits, 0, 0, 0, 0)
    chunks = [chunk(b'IHDR', header), chunk(b'IDAT', zlib.compress(rows)), chunk(b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks)


def peak_in_child(function):
    """Run a function in a child; return its result and by how many MB its memory grew."""
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        text = str(function())
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        os.write(write_end, f'{grown} {text}'.encode())
        os._exit(0)
    os.close(write_end)
    grown, _, text = os.fdopen(read_end).read().partition(' ')
    os.wait()
    return int(grown), text


def refusal(read, path):
    try:
        return f'read: {read(path).shape}'
    except UserInputError as error:
        return str(error)


@pytest.mark.parametrize('read', [read_image, read_label_map])
def test_an_image_of_144_million_pixels_is_refused_before_it_takes_memory(tmp_path, read):
    path = tmp_path / 'bomb.png'
    path.write_bytes(grey_png(12_000, 12_000, 1, bytes(1501 * 12_000)))
    assert path.stat().st_size < 100_000
    grown, message = peak_in_child(lambda: refusal(read, path))
    assert 'is 12000x12000' in message and 'bomb.png' in message
    assert grown < 60


def test_every_damaged_bit_of_a_label_map_is_noticed_or_harmless(tmp_path):
    image = Image.fromarray(LABEL)
    image.putpalette(list(range(256)) * 3)
    content = png_bytes(image)
    path = tmp_path / 'a.png'
    damaged_labels = 0
    for position in range(content.index(b'IDAT'), len(content)):
        for bit in range(8):
            path.write_bytes(
                content[:position] + bytes([content[position] ^ 1 << bit]) + content[position + 1 :]
            )
            try:
                damaged_labels += not np.array_equal(read_label_map(path), LABEL)
            except UserInputError as error:
                assert 'a.png' in str(error)
    assert damaged_labels == 0


@pytest.mark.parametrize('bits', [1, 2, 4])
def test_greyscale_labels_of_few_bits_are_refused_as_readers_disagree_on_them(tmp_path, bits):
    (tmp_path / 'a.png').write_bytes(grey_png(8, 1, bits, bytes(1 + bits)))
    with pytest.raises(UserInputError, match=r'a\.png.*greyscale of less than 8 bits'):
        read_label_map(tmp_path / 'a.png')


def test_labels_in_a_jpeg_are_refused_under_any_name(tmp_path):
    Image.fromarray(LABEL).save(tmp_path / 'a.png', 'JPEG')
    with pytest.raises(UserInputError, match=r'a\.png.*lossy compression'):
        read_label_map(tmp_path / 'a.png')


def test_values_of_16_bits_are_refused_instead_of_becoming_white(tmp_path):
    Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16)).save(tmp_path / 'a.png')
    with pytest.raises(UserInputError, match=r"a\.png.*8 bits per channel, got mode 'I;16'"):
        read_image(tmp_path / 'a.png')


def test_values_of_no_class_are_refused_where_the_classes_are_known(tmp_path):
    Image.fromarray(LABEL).save(tmp_path / 'a.png')
    assert read_label_map(tmp_path / 'a.png', num_classes=7).max() == 7
    with pytest.raises(UserInputError, match=r'a\.png has the value 7; expected 0\.\.6 or 255'):
        read_label_map(tmp_path / 'a.png', num_classes=6)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'a.png')
    with pytest.raises(UserInputError, match='is a pipe or a device'):
        read_image(tmp_path / 'a.png')


# What a camera stores of the upright picture  1 2 3  for each EXIF orientation.
#                                              4 5 6
STORED = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[3, 6], [2, 5], [1, 4]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[4, 1], [5, 2], [6, 3]],
}
CELL = 16  # JPEG keeps squares of 16 pixels separate


def save_turned(path, orientation, kind, **options):
    """Save the picture of six grey squares as a camera held in this orientation would."""
    grey = np.kron(np.array(STORED[orientation]) * 40, np.ones((CELL, CELL))).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(path, kind, exif=exif, **options)


@pytest.mark.parametrize('orientation', STORED)
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_a_photograph_is_turned_upright_by_its_exif_orientation(tmp_path, orientation, kind):
    path = tmp_path / 'photo'
    options = {'JPEG': {'quality': 95}, 'WEBP': {'lossless': True}}.get(kind, {})
    save_turned(path, orientation, kind, **options)
    image = read_image(path)
    centres = image[CELL // 2 :: CELL, CELL // 2 :: CELL, 0]
    assert np.rint(centres / 40).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert read_image_size(path) == image.shape[:2] == (2 * CELL, 3 * CELL)


@pytest.mark.parametrize('orientation', STORED)
def test_mmcv_turns_a_photograph_in_the_same_way(tmp_path, orientation):
    save_turned(tmp_path / 'photo.jpg', orientation, 'JPEG', quality=95)
    image = read_image(tmp_path / 'photo.jpg').astype(int)
    other = mmcv.imread(str(tmp_path / 'photo.jpg'), channel_order='rgb').astype(int)
    assert image.shape == other.shape
    assert abs(image - other).max() <= 4  # two decoders


@pytest.mark.parametrize('read', [read_label_map, read_grey_image])
@pytest.mark.parametrize('kind', ['PNG', 'TIFF'])
def test_a_map_that_only_some_readers_would_turn_is_refused(tmp_path, read, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(LABEL).save(tmp_path / 'a.png', kind, exif=exif)
    with pytest.raises(UserInputError, match=r'a\.png carries the EXIF orientation 6'):
        read(tmp_path / 'a.png')
    exif[0x0112] = 1
    Image.fromarray(LABEL).save(tmp_path / 'a.png', kind, exif=exif)
    assert np.array_equal(read(tmp_path / 'a.png'), LABEL)


@pytest.mark.parametrize(
    'exif',
    [
        b'Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x09\0\0',
        b'Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\2\0\0\0\2six\0',
        b'Exif\0\0MM\0*\xff\xff\xff',
        b'Exif\0\0nothing',
    ],
    ids=['orientation 9', 'orientation as text', 'cut off', 'not EXIF'],
)
def test_exif_data_that_make_no_sense_leave_the_image_as_it_is(tmp_path, exif):
    Image.new('RGB', (3, 2)).save(tmp_path / 'a.jpg', exif=exif)
    assert read_image(tmp_path / 'a.jpg').shape == (2, 3, 3)
    assert read_image_size(tmp_path / 'a.jpg') == (2, 3)
