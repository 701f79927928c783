"""Small pictures of labels: contours over the image, and the flat label map.

All images are uint8 RGB (H, W, 3).
"""

import base64
import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from mmwsss.structures import BACKGROUND, IGNORE_INDEX
from mmwsss.visualization.sheets import colorize, flat_label

_HALO = (255, 255, 255)
_IGNORED_OPACITY = 0.5
_LONGEST = 320
_LINES_PER_SIDE = 160  # a line is one pixel wide if the longer side has this length


def draw_contours(
    image: np.ndarray, label_map: np.ndarray, palette: Sequence[Sequence[int]]
) -> np.ndarray:
    """Draw the borders of a label map in the colours of its classes, with a white halo.

    The inside of an object stays unchanged; ignored pixels get an ivory veil.

    Args:
        image: The image.
        label_map: Label map, uint8 (H, W).
        palette: RGB colour of every class, background first.
    """
    ignored = (label_map == IGNORE_INDEX)[..., None]
    veil = (1 - _IGNORED_OPACITY) * image + _IGNORED_OPACITY * colorize(label_map, palette)
    drawn = np.where(ignored, veil.astype(np.uint8), image)
    width = max(1, round(max(label_map.shape) / _LINES_PER_SIDE))
    found = []
    for value in np.setdiff1d(label_map, (BACKGROUND, IGNORE_INDEX)):
        region = (label_map == value).astype(np.uint8)
        lines, _ = cv2.findContours(region, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        found.append((lines, tuple(int(channel) for channel in palette[value])))
    for lines, _ in found:
        cv2.drawContours(drawn, lines, -1, _HALO, width + 2, cv2.LINE_AA)
    for lines, color in found:
        cv2.drawContours(drawn, lines, -1, color, width, cv2.LINE_AA)
    return drawn


def scale_to(
    image: np.ndarray, label_maps: Sequence[np.ndarray], longest: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Scale an image and label maps of its size, so that the longer side has `longest` pixels."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    labels = [cv2.resize(label, size, interpolation=cv2.INTER_NEAREST) for label in label_maps]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=way), labels


def label_pair(
    image: np.ndarray, label_map: np.ndarray, palette: Sequence[Sequence[int]]
) -> list[np.ndarray]:
    """Draw the contours of a label map over its image, and the flat label map, for a sheet."""
    # Scaled first, because lines would hide the objects of a small image.
    scaled, (label,) = scale_to(image, [label_map], _LONGEST)
    return [draw_contours(scaled, label, palette), flat_label(label_map, palette)]


def photo_uri(image: np.ndarray) -> str:
    """Encode an image as the data URI of a WebP picture, with barely visible loss."""
    return _uri(Image.fromarray(image), 'webp', quality=68, method=3)


def label_uri(label_map: np.ndarray, palette: Sequence[Sequence[int]]) -> str:
    """Encode a label map as the data URI of a PNG picture with a transparent background."""
    colors = colorize(np.arange(256, dtype=np.uint8), palette)
    picture = Image.fromarray(label_map)
    picture.putpalette(colors.tobytes())
    return _uri(picture, 'png', optimize=True, transparency=BACKGROUND)


def _uri(picture: Image.Image, kind: str, **options: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return f'data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}'
