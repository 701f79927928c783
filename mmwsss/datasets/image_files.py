"""Reads images, label maps and greyscale maps from files, and refuses what would be misread.

A camera may mark a photograph as rotated. Such an image is turned upright by its EXIF orientation
when it is read; its size, boxes and masks refer to the upright image. Label maps and greyscale maps
are never turned: one with an EXIF orientation is refused, because some readers would turn it and
others would not.
"""

import io
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile

from mmwsss.structures import IGNORE_INDEX, UserInputError
from mmwsss.structures.input_files import read_bytes

MAX_PIXELS = 1 << 26
"""Largest image, 67 million pixels (8192 x 8192); checked before anything is decoded."""

IMAGE_SUFFIXES = frozenset(
    (
        *('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.apng', '.webp', '.tif', '.tiff', '.bmp'),
        *('.gif', '.ppm', '.pgm', '.pbm', '.pnm', '.jp2', '.j2k', '.jpf', '.jpx', '.avif'),
    )
)
"""Lower-case suffixes of files that :func:`read_image` can read."""

_MAX_BYTES = 1 << 29
# The other formats of Pillow run external programs (EPS) or are hardly tested.
_FORMATS = ('JPEG', 'PNG', 'WEBP', 'TIFF', 'BMP', 'GIF', 'PPM', 'JPEG2000', 'AVIF')
_LOSSLESS = ('PNG', 'TIFF', 'BMP', 'GIF', 'PPM')
# Pillow clips their values at 255, so that a 16-bit image would turn white.
_DEEP_MODES = ('I', 'F')  # also 'I;16'
_UPRIGHT = 1
# Operation that turns an image upright, by its EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)

# Pillow's own limit is higher and only warns; the one here refuses.
warnings.filterwarnings('ignore', category=Image.DecompressionBombWarning)
# An image with damaged EXIF data counts as upright, as in OpenCV.
warnings.filterwarnings('ignore', message='.*orrupt EXIF data')


def read_image(path: str | Path) -> np.ndarray:
    """Read any image as uint8 RGB (H, W, 3), turned upright by its EXIF orientation.

    Greyscale, palette and CMYK images are converted, and an alpha channel is dropped. If a file
    holds several pictures, the first is read. The file must be complete: where OpenCV fills the
    missing part of a truncated JPEG with grey, Pillow refuses the file.

    Raises:
        UserInputError: The file is missing, damaged or not an image, has more than
            :data:`MAX_PIXELS` pixels, or has greyscale values of more than 8 bits.
    """
    image, orientation = _identify(path)
    if image.mode.startswith(_DEEP_MODES):
        raise UserInputError(
            f'{path}: expected an image with 8 bits per channel, got mode {image.mode!r}. Scale '
            'its values to 0..255 and save it again.'
        )
    decoded = _decode(image, path)
    rgb = decoded if decoded.mode == 'RGB' else decoded.convert('RGB')
    if _is_turned_here(image, orientation):
        rgb = rgb.transpose(_TURNS[orientation])
    return np.asarray(rgb)


def read_label_map(path: str | Path, *, num_classes: int | None = None) -> np.ndarray:
    """Read a label map, a greyscale or palette image, as uint8 (H, W).

    Args:
        path: The file.
        num_classes: Number K of foreground classes, to refuse values other than 0..K and 255.

    Raises:
        UserInputError: The file is missing or damaged; is a colour image; has a lossy compression,
            several pictures or an EXIF orientation; has less than 8 bits of greyscale, which some
            readers stretch to 0..255 and others do not; or has a value that is not a class.
    """
    image = _identify_upright(path)
    if image.mode not in ('L', 'P') or _is_stretched(image):
        kind = 'greyscale of less than 8 bits' if _is_stretched(image) else f'mode {image.mode!r}'
        raise UserInputError(
            f'{path}: expected label values in a palette (P) or 8-bit greyscale (L) PNG, got '
            f'{kind}. Save class indices, not colours.'
        )
    if image.format not in _LOSSLESS or 'jpeg' in str(image.info.get('compression')):
        raise UserInputError(
            f'{path}: expected label values in a PNG, got a lossy compression ({image.format}), '
            'which changes them. Make the labels again as PNG.'
        )
    image = _decode(image, path)
    if (pictures := getattr(image, 'n_frames', 1)) > 1:
        raise UserInputError(
            f'{path}: expected one label map, got {pictures} pictures. Save one PNG.'
        )
    label = np.asarray(image)
    if num_classes is not None:
        _check_values(label, num_classes, path)
    return label


def read_grey_image(path: str | Path) -> np.ndarray:
    """Read an 8-bit greyscale image, such as a saliency map, as uint8 (H, W).

    Raises:
        UserInputError: The file is missing, damaged or not an 8-bit greyscale image, or has an EXIF
            orientation.
    """
    image = _identify_upright(path)
    if image.mode != 'L':
        raise UserInputError(
            f'{path}: expected an 8-bit greyscale (L) image, got mode {image.mode!r}. Convert it, '
            "for example with PIL's image.convert('L')."
        )
    return np.asarray(_decode(image, path))


def read_image_size(path: str | Path) -> tuple[int, int]:
    """Read height and width of the upright image of :func:`read_image`, without decoding it.

    Raises:
        UserInputError: As in :func:`read_image`, except for damage after the first bytes.
    """
    image, orientation = _identify(path)
    if orientation in _SIDEWAYS and _is_turned_here(image, orientation):
        return image.width, image.height
    return image.height, image.width


@lru_cache(maxsize=1)
def _known_formats() -> tuple[str, ...]:
    """List the formats that this build of Pillow has; it raises an error for others."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _identify(path: str | Path) -> tuple[ImageFile, int]:
    """Open an image and find its EXIF orientation; its pixels are not decoded yet."""
    content = read_bytes(path, 'image file', max_bytes=_MAX_BYTES, remedy='Check `data_root`.')
    try:
        image = Image.open(io.BytesIO(content), formats=_known_formats())
    except Image.UnidentifiedImageError as error:
        raise _damage(path, 'it is not an image, or its first bytes are damaged') from error
    except Exception as error:  # only Pillow runs here, and its readers fail in many ways
        raise _damage(path, error) from error
    if image.width * image.height > MAX_PIXELS:
        raise UserInputError(
            f'The image file {str(path)!r} is {image.width}x{image.height} (width x height); '
            f'expected at most {MAX_PIXELS} pixels. Shrink it or cut it into tiles.'
        )
    return image, _orientation(content, str(image.format))


def _identify_upright(path: str | Path) -> ImageFile:
    image, orientation = _identify(path)
    if orientation != _UPRIGHT:
        raise UserInputError(
            f'{path} carries the EXIF orientation {orientation}: some programs would turn it and '
            'others would not. Save it upright, without EXIF data.'
        )
    return image


def _orientation(content: bytes, kind: str) -> int:
    """Read the EXIF orientation of an image file, 1 to 8; 1 if it has no readable one."""
    if kind == 'PNG' and b'eXIf' not in content:  # Pillow would decode the file to look for it
        return _UPRIGHT
    try:
        exif = Image.open(io.BytesIO(content), formats=(kind,)).getexif()
        orientation = exif.get(ExifTags.Base.Orientation)
        return orientation if orientation in _TURNS else _UPRIGHT
    except MemoryError:
        raise
    except Exception:  # only Pillow runs here; a damaged image is noticed when it is decoded
        return _UPRIGHT


def _is_turned_here(image: ImageFile, orientation: int) -> bool:
    return orientation in _TURNS and image.format != 'TIFF'  # Pillow itself turns TIFF files


def _decode(image: ImageFile, path: str | Path) -> ImageFile:
    try:
        if image.format == 'PNG':
            # Pillow does not verify the checksums when it decodes.
            content = image.fp.getbuffer()  # type: ignore[union-attr]  # opened from bytes
            Image.open(io.BytesIO(content), formats=('PNG',)).verify()
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # only Pillow runs here, and its readers fail in many ways
        raise _damage(path, error) from error
    return image


def _check_values(label: np.ndarray, num_classes: int, path: str | Path) -> None:
    foreign = (label > num_classes) & (label != IGNORE_INDEX)
    if foreign.any():
        raise UserInputError(
            f'{path} has the value {label[foreign][0]}; expected 0..{num_classes} or '
            f'{IGNORE_INDEX}. Check that it was made with these classes.'
        )


def _is_stretched(image: ImageFile) -> bool:
    """Whether Pillow would scale the greyscale values of a file, such as a 4-bit 1 to 17."""
    raw_mode = image.tile[0][3] if image.tile else image.mode
    return image.mode == '1' or str(raw_mode).startswith(('L;2', 'L;4'))


def _damage(path: str | Path, reason: object) -> UserInputError:
    line = ' '.join(str(reason).split()) or type(reason).__name__
    return UserInputError(
        f'The image file {str(path)!r} cannot be read: {line:.200}. Restore this file.'
    )
