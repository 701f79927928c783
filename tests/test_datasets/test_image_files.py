"""Images and label maps that would be misread are refused before they are decoded."""

import io
import os
import resource
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.image_files import read_image, read_label_map
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
    """Run a function in a child; give its result and by how many MB its memory grew."""
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
    with pytest.raises(UserInputError, match=r'a\.png.*with loss'):
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
