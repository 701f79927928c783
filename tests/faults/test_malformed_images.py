"""Images, label maps and saliency maps that are not what they should be."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faults.malformed import Case, Malformed, mutations, not_files
from mmwsss.datasets.image_files import read_grey_image, read_image, read_label_map

pytestmark = pytest.mark.slow

PHOTO = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
LABEL = np.zeros((6, 8), dtype=np.uint8)
LABEL[1:4, 2:5], LABEL[0, 0] = 2, 255
SIGNATURE = b'\x89PNG\r\n\x1a\n'


def saved(array, kind, mode=None, **options):
    """An array as a file of an image format."""
    image = Image.fromarray(array)
    if mode == 'P' and array.ndim == 2:
        image.putpalette(list(range(256)) * 3)
    elif mode:
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, content):
    return b''.join(
        [
            struct.pack('>I', len(content)),
            kind,
            content,
            struct.pack('>I', zlib.crc32(kind + content)),
        ]
    )


def png(width, height, bits, color, rows, *between):
    """A PNG from its fields; ``rows`` are packed, each after its filter byte."""
    header = struct.pack('>IIBBBBB', width, height, bits, color, 0, 0, 0)
    chunks = [chunk(b'IHDR', header), *between, chunk(b'IDAT', zlib.compress(rows))]
    return SIGNATURE + b''.join(chunks) + chunk(b'IEND', b'')


def grey(bits, **changes):
    row = b'\0' + bytes(max(bits, 8) // 8 * 8)
    return png(changes.get('width', 8), changes.get('height', 6), bits, 0, row * 6)


def several(kind, array=LABEL, **options):
    first = Image.fromarray(array)
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=[first.rotate(180)], **options)
    return buffer.getvalue()


def damaged(good):
    """Mistakes that any PNG can have."""
    first_data = good.index(b'IDAT')
    long_text = chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(10**8)))
    return {
        'cut in the header': good[:20],
        'cut in the data': good[: first_data + 8],
        'cut before the end': good[:-12],
        'a wrong checksum of the header': good[:29] + b'\0\0\0\0' + good[33:],
        'a wrong checksum of the data': good[:-17] + bytes([good[-17] ^ 1]) + good[-16:],
        'the signature alone': SIGNATURE,
        'no data': SIGNATURE + good[8:33] + chunk(b'IEND', b''),
        'data that are not compressed': SIGNATURE
        + good[8:33] + chunk(b'IDAT', bytes(60)) + chunk(b'IEND', b''),
        'line ends changed by a transfer': good.replace(b'\r\n', b'\n'),
        'no width': grey(8, width=0),
        'no height': grey(8, height=0),
        '12 000 x 12 000 of one bit': png(12_000, 12_000, 1, 0, bytes(1501 * 12_000)),
        '12 000 x 12 000 claimed': grey(8, width=12_000, height=12_000),
        '2**31 x 2**31 claimed': grey(8, width=(1 << 31) - 1, height=(1 << 31) - 1),
        '8192 x 8193': grey(8, width=8192, height=8193),
        'an unknown depth': grey(3),
        'a filter that does not exist': png(8, 6, 8, 0, (b'\x09' + bytes(8)) * 6),
        'a text of 100 MB': png(8, 6, 8, 0, (b'\0' + bytes(8)) * 6, long_text),
        'another picture format': b'8BPS' + bytes(100),
        'PostScript': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\nshowpage\n',
    }  # fmt: skip


def image_cases():
    rgb = PHOTO
    for name, content in damaged(saved(rgb, 'PNG')).items():
        yield Case(f'image: {name}', read_image, content)
    jpeg = saved(rgb, 'JPEG')
    wrong = {
        'a JPEG cut in its data': jpeg[: len(jpeg) // 2],
        'a JPEG without its end': jpeg[:-40],
        'a JPEG of two bytes': jpeg[:2],
        'a JPEG of a huge claimed size': jpeg.replace(
            struct.pack('>BHH', 8, 6, 8), struct.pack('>BHH', 8, 60_000, 60_000)
        ),
        '16 bits of grey': saved(LABEL.astype(np.uint16) * 256, 'PNG'),
        '32 bits of grey': saved(LABEL.astype(np.int32), 'TIFF'),
        'floats': saved(LABEL.astype(np.float32), 'TIFF'),
        'a GIF cut off': saved(LABEL, 'GIF')[:20],
        'a WebP cut off': saved(rgb, 'WEBP')[:40],
        'a TIFF cut off': saved(rgb, 'TIFF')[:60],
        'a BMP of a huge claimed size': saved(rgb, 'BMP').replace(
            struct.pack('<ii', 8, 6), struct.pack('<ii', 1 << 30, 1 << 30)
        ),
    }
    for name, content in wrong.items():
        yield Case(f'image: {name}', read_image, content)
    turned = Image.Exif()
    turned[0x0112] = 6
    one = np.full((6, 8, 3), 200, np.uint8)
    right = {
        'a PNG': (saved(rgb, 'PNG'), rgb),
        'a PNG cut in the checksum of its end': (saved(rgb, 'PNG')[:-2], rgb),
        'an interlaced gamma': (png(1, 1, 8, 2, b'\0\1\2\3', chunk(b'gAMA', struct.pack('>I', 1))),
                                np.array([[[1, 2, 3]]])),
        'a transparent colour': (png(1, 1, 8, 2, b'\0\1\2\3', chunk(b'tRNS', bytes(6))),
                                 np.array([[[1, 2, 3]]])),
        'a short palette': (png(2, 1, 8, 3, b'\0\0\1', chunk(b'PLTE', b'\1\2\3')),
                            lambda image: image[0, 0].tolist() == [1, 2, 3]),
        '16 bits of colour': (png(1, 1, 16, 2, b'\0\1\0\2\0\3\0'), np.array([[[1, 2, 3]]])),
        'transparent': (saved(np.dstack([rgb, rgb[..., 0]]), 'PNG'), rgb),
        'a BMP under another name': (saved(rgb, 'BMP'), rgb),
        'a TIFF of several pages': (several('TIFF', rgb), rgb),
        'a picture that moves': (several('PNG', rgb), rgb),
        'a turned JPEG': (saved(one, 'JPEG', exif=turned), one),
        'CMYK': (saved(one, 'JPEG', 'CMYK'), lambda image: image.shape == (6, 8, 3)),
        'an MPO': (several('MPO', one), one),
        'a GIF': (saved(one, 'GIF'), lambda image: image.shape == (6, 8, 3)),
    }  # fmt: skip
    for name, (content, expected) in right.items():
        yield Case(f'image: {name}', read_image, content, expected)
    for name, make in not_files().items():
        yield Case(f'image: {name}', read_image, make)


def read_label(path):
    return read_label_map(path, num_classes=2)


def label_cases():
    for name, content in damaged(saved(LABEL, 'PNG', 'P')).items():
        yield Case(f'label: {name}', read_label, content)
    wrong = {
        'colours': saved(PHOTO, 'PNG'),
        'colours and transparency': saved(np.dstack([PHOTO, LABEL]), 'PNG'),
        'grey and transparency': saved(LABEL, 'PNG', 'LA'),
        '16 bits': saved(LABEL.astype(np.uint16), 'PNG'),
        '32 bits': saved(LABEL.astype(np.int32), 'TIFF'),
        '1 bit of grey': png(8, 1, 1, 0, b'\0\x55'),
        '2 bits of grey': png(8, 1, 2, 0, b'\0\x55\x55'),
        '4 bits of grey': png(8, 1, 4, 0, b'\0\1\1\1\1'),
        'a mask of two values': saved(LABEL > 0, 'PNG'),
        'a JPEG of grey': saved(LABEL, 'JPEG'),
        'a JPEG of colour': saved(PHOTO, 'JPEG'),
        'a JPEG in a TIFF': saved(LABEL, 'TIFF', compression='jpeg'),
        'a WebP': saved(PHOTO, 'WEBP'),
        'a picture that moves': several('PNG'),
        'a GIF that moves': several('GIF'),
        'a TIFF of several pages': several('TIFF'),
        'a value of no class': saved(np.full((6, 8), 3, np.uint8), 'PNG'),
        'a value below the ignored one': saved(np.full((6, 8), 254, np.uint8), 'PNG', 'P'),
        'one wrong pixel': saved(np.where(LABEL == 255, 7, LABEL), 'PNG', 'P'),
    }
    for name, content in wrong.items():
        yield Case(f'label: {name}', read_label, content)
    four = np.array([[0, 1, 2, 0]])
    right = {
        'a palette': (saved(LABEL, 'PNG', 'P'), LABEL),
        'greyscale': (saved(LABEL, 'PNG'), LABEL),
        'a PNG cut in the checksum of its end': (saved(LABEL, 'PNG')[:-2], LABEL),
        'a BMP': (saved(LABEL, 'BMP'), LABEL),
        'a TIFF': (saved(LABEL, 'TIFF'), LABEL),
        'a palette of 2 bits': (png(4, 1, 2, 3, b'\0\x18', chunk(b'PLTE', bytes(12))), four),
        'a palette too short': (png(4, 1, 8, 3, b'\0\0\1\2\0', chunk(b'PLTE', bytes(3))), four),
        'a transparent palette': (
            png(4, 1, 8, 3, b'\0\0\1\2\0', chunk(b'PLTE', bytes(12)), chunk(b'tRNS', b'\0\0')),
            four,
        ),
        'a transparent grey': (png(4, 1, 8, 0, b'\0\0\1\2\0', chunk(b'tRNS', b'\0\1')), four),
        'gamma': (png(4, 1, 8, 0, b'\0\0\1\2\0', chunk(b'gAMA', struct.pack('>I', 9))), four),
        'bytes behind the end': (saved(LABEL, 'PNG') + bytes(100), LABEL),
    }
    for name, (content, expected) in right.items():
        yield Case(f'label: {name}', read_label, content, expected)
    for name, make in not_files().items():
        yield Case(f'label: {name}', read_label, make)


def saliency_cases():
    for name, content in damaged(saved(LABEL, 'PNG')).items():
        yield Case(f'saliency: {name}', read_grey_image, content)
    wrong = {
        'colours': saved(PHOTO, 'PNG'),
        'a palette': saved(LABEL, 'PNG', 'P'),
        '16 bits': saved(LABEL.astype(np.uint16), 'PNG'),
        '1 bit': saved(LABEL > 0, 'PNG'),
        'grey and transparency': saved(LABEL, 'PNG', 'LA'),
        'floats': saved(LABEL.astype(np.float32), 'TIFF'),
    }
    for name, content in wrong.items():
        yield Case(f'saliency: {name}', read_grey_image, content)
    for name, make in not_files().items():
        yield Case(f'saliency: {name}', read_grey_image, make)


def mutants():
    # A PNG has checksums: what is read must be what was written.
    big = np.kron(LABEL, np.ones((9, 9), np.uint8))
    samples = [
        (read_image, saved(PHOTO, 'PNG'), PHOTO),
        (read_label, saved(big, 'PNG', 'P'), big),
        (read_grey_image, saved(big, 'PNG'), big),
        (read_image, saved(PHOTO, 'JPEG'), None),
        (read_image, saved(PHOTO, 'WEBP'), None),
        (read_image, saved(LABEL, 'GIF'), None),
        (read_image, saved(PHOTO, 'TIFF'), None),
        (read_image, saved(PHOTO, 'BMP'), None),
    ]
    for seed, (read, content, good) in enumerate(samples):
        for name, mutant in mutations(content, 120 if good is not None else 40, seed):
            yield Case(f'{read.__name__} {seed}: {name}', read, mutant, _right(good))


def _right(good):
    if good is None:
        return lambda image: image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
    return lambda image: np.array_equal(image, good)


MAKERS = [image_cases, label_cases, saliency_cases, mutants]


@pytest.mark.parametrize('make', MAKERS)
def test_images_that_are_malformed_are_refused_in_one_line(make, tmp_path):
    malformed = Malformed(f'images ({make.__name__})', Path(tmp_path))
    for case in make():
        malformed.run(case, '.png')
    malformed.check()


def test_at_least_400_malformed_images_are_made():
    assert sum(1 for make in MAKERS for _ in make()) >= 400
