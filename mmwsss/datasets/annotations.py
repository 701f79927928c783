"""Reads weak labels: lists of images, PASCAL VOC XML and files of image tags.

What a file says is never trusted as a path: see :func:`check_image_id`.
"""

import math
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from mmwsss.structures import UserInputError, read_json
from mmwsss.structures.input_files import read_text

Box = tuple[float, float, float, float]
_REMEDY = 'Check `data_root` and this path.'
_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


class AnnotatedObject(NamedTuple):
    """One object of an image; ``box`` is xyxy as written in the file, None if it has none."""

    name: str
    box: Box | None
    difficult: bool


class Annotation(NamedTuple):
    """The objects of an image in file order and its (height, width) if the file states it."""

    objects: list[AnnotatedObject]
    shape: tuple[int, int] | None


def check_image_id(img_id: str, source: str | Path) -> str:
    """Return ``img_id`` if it names a file below the data root.

    Raises:
        UserInputError: The id is empty, an absolute path, or has ``..`` or a backslash in it.
    """
    outside = img_id.startswith('/') or '\\' in img_id or '..' in img_id.split('/')
    if not img_id or outside or not img_id.isprintable():
        raise UserInputError(
            f'{source}: {img_id!r} is no image id. An id is a path below the image folder without '
            "suffix, such as '2007_000032'; it must not be absolute or contain '..'."
        )
    return img_id


def read_image_ids(list_file: str | Path) -> list[str]:
    """Read one image id a line; blank lines are skipped.

    Raises:
        UserInputError: The file is missing, is no text, holds no id or one outside the data root.
    """
    ids = [
        line.strip() for line in read_text(list_file, 'list of images', remedy=_REMEDY).splitlines()
    ]
    ids = [check_image_id(img_id, list_file) for img_id in ids if img_id]
    if not ids:
        raise UserInputError(f'{list_file} holds no image id; expected one a line.')
    return ids


def read_tags(label_file: str | Path) -> dict[str, list[str | int]]:
    """Read image tags from JSON: ``{image id: [class names or foreground class indices]}``.

    Raises:
        UserInputError: The file is missing, is no JSON, or has another form.
    """
    tags = read_json(label_file, 'label file', remedy=_REMEDY)
    if not isinstance(tags, dict) or not tags:
        raise UserInputError(f'{label_file}: expected {{image id: [class, ...]}} with one entry.')
    for img_id, labels in tags.items():
        check_image_id(img_id, label_file)
        # bool is an int in Python, but `true` is no class.
        if not isinstance(labels, list) or not all(type(label) in (str, int) for label in labels):
            raise UserInputError(
                f'{label_file}: expected a list of class names or indices for {img_id!r}, '
                f'got {labels!r}.'
            )
    return tags


def read_voc_xml(xml_file: str | Path) -> Annotation | None:
    """Read the objects of a PASCAL VOC annotation; None if there is no such file.

    Only the ``<object>`` elements directly below the root are read, so boxes of parts (head, hand,
    foot of a person) are not mistaken for objects. Coordinates are taken as written, without a
    shift by one pixel.

    Raises:
        UserInputError: The file is no XML or an object has no name or a box that is no number.
    """
    try:
        root = ElementTree.parse(xml_file).getroot()
    except FileNotFoundError:
        return None
    except (ElementTree.ParseError, ValueError, LookupError, OSError) as error:
        raise UserInputError(
            f'{xml_file} is no readable XML: {error}. Restore this file.'
        ) from error
    objects = [_parse_object(element, xml_file) for element in root.findall('object')]
    return Annotation(objects, _parse_shape(root))


def _parse_object(element: ElementTree.Element, xml_file: str | Path) -> AnnotatedObject:
    name = (element.findtext('name') or '').strip()
    if not name:
        raise UserInputError(f'{xml_file}: an <object> has no <name>.')
    corners = element.find('bndbox')
    box = None
    if corners is not None:
        texts = [corners.findtext(corner) for corner in _CORNERS]
        box = tuple(_parse_float(text) for text in texts)
        if not all(map(math.isfinite, box)):
            raise UserInputError(
                f'{xml_file}: the box of a {name!r} has {dict(zip(_CORNERS, texts, strict=True))}; '
                'expected four numbers.'
            )
    return AnnotatedObject(name, box, (element.findtext('difficult') or '').strip() == '1')


def _parse_shape(root: ElementTree.Element) -> tuple[int, int] | None:
    height, width = (_parse_float(root.findtext(f'size/{side}')) for side in ('height', 'width'))
    # Some tools write 0 when they do not know the size.
    known = 1 <= height < math.inf and 1 <= width < math.inf
    return (int(height), int(width)) if known else None


def _parse_float(text: str | None) -> float:
    try:
        return float(text or '')
    except ValueError:
        return math.nan
