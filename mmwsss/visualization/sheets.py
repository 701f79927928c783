"""Pictures of labels, boxes and activation maps, and sheets of many of them.

All images are uint8 RGB (H, W, 3).
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmwsss.structures import BACKGROUND, IGNORE_INDEX, to_seg_label
from mmwsss.structures.atomic_files import open_atomically

_CELL = (180, 240)  # height and width of a picture on a sheet
_MARGIN = 6
_GAP = 14  # between the names of a caption
_SWATCH = 10
_TEXT_SIZE = 12
_LINE_HEIGHT = 18
_GREY = (120, 120, 120)
_PAPER = (230, 233, 238)  # background of a flat label map
IGNORE_COLOR = (224, 224, 192)
"""RGB colour of ignored pixels, the one of VOC's object borders."""


class Caption(NamedTuple):
    """Text above a row of a sheet.

    Attributes:
        text: Text such as the id of the image.
        classes: Name and RGB colour of classes, as a legend.
    """

    text: str
    classes: Sequence[tuple[str, Sequence[int]]]


def colorize(label_map: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Paint a label map (H, W) in the colours of a palette; ignored pixels are ivory."""
    colors = np.zeros((256, 3), dtype=np.uint8)
    colors[: len(palette)] = np.asarray(palette, dtype=np.uint8)
    colors[IGNORE_INDEX] = IGNORE_COLOR
    return colors[label_map]


def flat_label(label_map: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Paint a label map (H, W) as :func:`colorize` does, on a light background."""
    painted = colorize(label_map, palette)
    return np.where(label_map[..., None] == BACKGROUND, np.array(_PAPER, dtype=np.uint8), painted)


def overlay(
    image: np.ndarray,
    label_map: np.ndarray,
    palette: Sequence[Sequence[int]],
    *,
    opacity: float = 0.6,
) -> np.ndarray:
    """Lay a painted label map (H, W) over an image; the background stays unchanged."""
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
        names: Text in the corner of each box, m of them or none at all.
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
    captions: Sequence[Caption] = (),
    cell_size: tuple[int, int] = _CELL,
) -> Path:
    """Write rows of pictures under column titles to one PNG, atomically.

    Args:
        rows: One row per image, one picture per column, of any sizes.
        titles: Title of each column.
        path: The PNG file; its folder is created.
        captions: Text above each row, one per row or none at all.
        cell_size: Height and width into which every picture is fitted. The fitted pictures
            determine the height of a row and the width of a column.

    Returns:
        The path.

    Raises:
        ValueError: A row has more or fewer pictures than there are titles.
    """
    for index, row in enumerate(rows):
        if len(row) != len(titles):
            raise ValueError(
                f'row {index} has {len(row)} pictures for {len(titles)} titles. Put an empty '
                'picture where one is missing.'
            )
    fitted = [[_fit(picture, cell_size) for picture in row] for row in rows]
    sheet = _lay_out(fitted, titles, captions)
    with open_atomically(Path(path)) as file:
        sheet.save(file, format='PNG')
    return Path(path)


def _lay_out(
    fitted: list[list[Image.Image]], titles: Sequence[str], captions: Sequence[Caption]
) -> Image.Image:
    widths = [
        max([_width_of(title), *(row[column].width for row in fitted)])
        for column, title in enumerate(titles)
    ]
    heights = [max((picture.height for picture in row), default=0) for row in fitted]
    lefts = _MARGIN + np.cumsum([0, *(width + _MARGIN for width in widths)])
    width = max([lefts[-1], *(_caption_width(caption) for caption in captions)])
    line = _LINE_HEIGHT if captions else 0
    tops = _LINE_HEIGHT + _MARGIN + np.cumsum([0, *(line + high + _MARGIN for high in heights)])
    sheet = Image.new('RGB', (int(width), int(tops[-1])), 'white')
    draw = ImageDraw.Draw(sheet)
    for left, title in zip(lefts, titles, strict=False):
        draw.text((left, _MARGIN), title, fill='black', font=_font())
    for top, caption in zip(tops, captions, strict=False):
        _write_caption(draw, int(top), caption)
    for top, row in zip(tops, fitted, strict=False):
        for left, picture in zip(lefts, row, strict=False):
            sheet.paste(picture, (int(left), int(top) + line))
    return sheet


def caption_of(
    text: str,
    label_maps: Sequence[np.ndarray],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    *,
    tags: Sequence[int] = (),
) -> Caption:
    """Return the caption of a row whose pictures show these label maps and tags.

    Args:
        text: Text such as the id of the image.
        label_maps: Label maps, uint8 (H, W).
        classes: Names of all classes, background first.
        palette: RGB colour of every class.
        tags: Indices of foreground classes.
    """
    values = {to_seg_label(tag) for tag in tags}.union(*(np.unique(m).tolist() for m in label_maps))
    found = sorted(values - {BACKGROUND, IGNORE_INDEX})
    return Caption(text, [(classes[value], palette[value]) for value in found])


def _write_caption(draw: ImageDraw.ImageDraw, top: int, caption: Caption) -> None:
    left = float(_MARGIN)
    draw.text((left, top), caption.text, fill='black', font=_font())
    left += _width_of(caption.text) + _GAP
    for name, color in caption.classes:
        box = (left, top + 3, left + _SWATCH, top + 3 + _SWATCH)
        draw.rectangle(box, fill=tuple(int(channel) for channel in color), outline=_GREY)
        draw.text((left + _SWATCH + _MARGIN, top), name, fill='black', font=_font())
        left += _SWATCH + _MARGIN + _width_of(name) + _GAP


def _caption_width(caption: Caption) -> int:
    names = sum(_SWATCH + _MARGIN + _width_of(name) + _GAP for name, _ in caption.classes)
    return _MARGIN + _width_of(caption.text) + _GAP + names


@cache
def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(_TEXT_SIZE)


def _width_of(text: str) -> int:
    return int(np.ceil(_font().getlength(text)))


def _fit(picture: np.ndarray, cell_size: tuple[int, int]) -> Image.Image:
    height, width = picture.shape[:2]
    factor = min(cell_size[0] / height, cell_size[1] / width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
