"""Pictures of labels, boxes and activation maps, and sheets of many of them.

All images are uint8 RGB (H, W, 3).
"""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from mmwsss.structures import IGNORE_INDEX
from mmwsss.structures.atomic_files import open_atomically

_CELL = (180, 240)  # height and width of a picture on a sheet
_MARGIN = 4
_TITLE_HEIGHT = 16
IGNORE_COLOR = (224, 224, 192)
"""RGB colour of ignored pixels: that of VOC's object borders."""


def colorize(label_map: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Paint a label map (H, W) in the colours of a palette; ignored pixels are ivory."""
    colors = np.zeros((256, 3), dtype=np.uint8)
    colors[: len(palette)] = np.asarray(palette, dtype=np.uint8)
    colors[IGNORE_INDEX] = IGNORE_COLOR
    return colors[label_map]


def overlay(
    image: np.ndarray,
    label_map: np.ndarray,
    palette: Sequence[Sequence[int]],
    *,
    opacity: float = 0.6,
) -> np.ndarray:
    """Lay a painted label map (H, W) over an image; the background stays as it is."""
    blended = (1 - opacity) * image + opacity * colorize(label_map, palette)
    return np.where(label_map[..., None] == 0, image, blended.astype(np.uint8))


def heat_map(image: np.ndarray, activation: np.ndarray, *, opacity: float = 0.6) -> np.ndarray:
    """Lay an activation map (H, W) >= 0, divided by its maximum, over an image."""
    peak = max(float(activation.max(initial=0)), 1e-12)
    levels = (255 * (activation / peak).clip(0, 1)).astype(np.uint8)
    heat = cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1]  # OpenCV paints in BGR
    return ((1 - opacity) * image + opacity * heat).astype(np.uint8)


def draw_boxes(
    image: np.ndarray,
    boxes: np.ndarray,
    colors: Sequence[Sequence[int]],
    *,
    names: Sequence[str] = (),
) -> np.ndarray:
    """Draw boxes on a copy of an image.

    Args:
        image: The image.
        boxes: xyxy in pixels, (m, 4).
        colors: RGB colour of each box, m of them.
        names: Text in the corner of each box, m of them or none.
    """
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    width = max(2, round(max(image.shape[:2]) / 150))
    for index, (x1, y1, x2, y2) in enumerate(np.asarray(boxes, dtype=float).reshape(-1, 4)):
        color = tuple(int(value) for value in colors[index])
        corners = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        draw.rectangle(corners, outline=color, width=width)
        if names:
            draw.text((corners[0] + width + 1, corners[1] + width), names[index], fill=color)
    return np.asarray(picture)


def draw_tags(image: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Write image tags on a bar at the top of a copy of an image."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    text = ', '.join(names)
    left, top, right, bottom = draw.textbbox((3, 2), text)
    draw.rectangle((0, 0, right + left, bottom + top), fill=(0, 0, 0))
    draw.text((3, 2), text, fill=(255, 255, 255))
    return np.asarray(picture)


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    titles: Sequence[str],
    path: str | os.PathLike,
    *,
    cell_size: tuple[int, int] = _CELL,
) -> Path:
    """Write rows of pictures under column titles as one PNG, which appears complete or not at all.

    Args:
        rows: One row an image, one picture a column, of any sizes.
        titles: Title of each column.
        path: The PNG file; its folder is made.
        cell_size: Height and width into which every picture is fitted.

    Returns:
        The path.

    Raises:
        ValueError: A row has more or fewer pictures than there are titles.
    """
    for index, row in enumerate(rows):
        if len(row) != len(titles):
            raise ValueError(
                f'row {index} has {len(row)} pictures for {len(titles)} titles. Put an empty '
                'picture where there is none.'
            )
    height, width = (side + _MARGIN for side in cell_size)
    size = (_MARGIN + width * len(titles), _TITLE_HEIGHT + _MARGIN + height * len(rows))
    sheet = Image.new('RGB', size, 'white')
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text((_MARGIN + width * column, 3), title, fill='black')
        for index, row in enumerate(rows):
            picture = _fit(row[column], cell_size)
            sheet.paste(picture, (_MARGIN + width * column, _TITLE_HEIGHT + height * index))
    with open_atomically(Path(path)) as file:
        sheet.save(file, format='PNG')
    return Path(path)


def _fit(picture: np.ndarray, cell_size: tuple[int, int]) -> Image.Image:
    height, width = picture.shape[:2]
    factor = min(cell_size[0] / height, cell_size[1] / width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
