"""Reads weak labels: lists of images, PASCAL VOC XML and files of image tags.

The content of a file is never trusted as a path; see :func:`check_image_id`.
"""

import math
import os
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from xml.etree import ElementTree

from mmwsss.structures import UserInputError, read_json
from mmwsss.structures.input_files import read_bytes, read_text

Box = tuple[float, float, float, float]
_REMEDY = 'Check this path, and the root of the data (`root` or `data_root`).'
_LINE_END = re.compile(r'\r\n|\r|\n')  # str.splitlines would also split at other characters
_MAX_ID = 1000
_SUFFIXES = ('.jpg', '.jpeg', '.png')  # of images and label maps in two-column lists
_MAX_XML_BYTES = 1 << 22  # 4 MiB, 10 000 objects; the tree takes far more memory than its text
_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


class AnnotatedObject(NamedTuple):
    """One object of an image; ``box`` is xyxy as written in the file, or None."""

    name: str
    box: Box | None
    difficult: bool


class Annotation(NamedTuple):
    """The objects of an image in file order, and its (height, width) if the file states it."""

    objects: list[AnnotatedObject]
    shape: tuple[int, int] | None


def check_image_id(img_id: str, source: str | Path) -> str:
    """Return ``img_id`` if it names a file below the data root in its only valid spelling.

    Raises:
        UserInputError: The id is empty, too long, an absolute path, or has a backslash, ``.``,
            ``..`` or an empty name in it.
    """
    odd = '\\' in img_id or not {'', '.', '..'}.isdisjoint(img_id.split('/'))
    if odd or not img_id.isprintable() or len(img_id) > _MAX_ID:
        raise UserInputError(
            f'{source}: {img_id!r:.80} is not an image id. An id is a path below the image folder, '
            "without suffix, such as '2007_000032'; it must not be absolute or contain '..'."
        )
    return img_id


def read_image_ids(list_file: str | Path) -> list[str]:
    """Read one image id per line; blank lines are skipped.

    The lists of published methods are understood as well. In ``/JPEGImages/ID.jpg
    /SegmentationClassAug/ID.png`` the id is the name of the first file without suffix; in
    ``ID 0 14``, an id and the indices of its classes, it is the first word. Other paths and classes
    are ignored.

    Raises:
        UserInputError: The file is missing, is not text, holds no id, or has an id twice or one
            outside the data root.
    """
    ids = [check_image_id(_id_in(line), list_file) for line in list_lines(list_file)]
    if len(set(ids)) < len(ids):
        twice, count = Counter(ids).most_common(1)[0]
        raise UserInputError(
            f'{list_file}: the image {twice!r} is listed {count} times. Remove the repeated lines.'
        )
    return ids


def list_lines(list_file: str | Path) -> list[str]:
    """Read the lines of a list of images, stripped and without blank lines.

    Raises:
        UserInputError: The file is missing, is not text, or has no line.
    """
    text = read_text(list_file, 'list of images', remedy=_REMEDY)
    lines = [line.strip() for line in _LINE_END.split(text)]
    if not any(lines):
        raise UserInputError(f'{list_file} holds no image id; expected one per line.')
    return [line for line in lines if line]


def first_column(line: str) -> str:
    """Return the image in a line of a list: the whole line, unless it has columns.

    A line has columns if an image file is followed by a label map, or an image by class indices.
    """
    first, *others = line.split()
    has_indices = bool(others) and all(word.isdecimal() for word in others)
    has_files = len(others) == 1 and all(_is_file(word) for word in (first, *others))
    return first if has_indices or has_files else line


def _id_in(line: str) -> str:
    column = first_column(line)
    return PurePosixPath(column).stem if column != line and _is_file(column) else column


def _is_file(word: str) -> bool:
    return word.lower().endswith(_SUFFIXES)


def read_tags(label_file: str | Path) -> dict[str, list[str | int]]:
    """Read image tags from JSON: ``{image id: [class names or foreground class indices]}``.

    Raises:
        UserInputError: The file is missing, is not JSON, or has another form.
    """
    return check_tags(read_json(label_file, 'label file', remedy=_REMEDY), label_file)


def check_tags(tags: object, label_file: str | Path) -> dict[str, list[str | int]]:
    """Return ``tags``, read from a label file, if they have the form of :func:`read_tags`.

    Raises:
        UserInputError: They have another form.
    """
    if not isinstance(tags, dict) or not tags:
        raise UserInputError(
            f'{label_file}: expected {{image id: [class, ...]}} with at least one entry.'
        )
    for img_id, labels in tags.items():
        check_image_id(img_id, label_file)
        # bool is an int in Python, but `true` is not a class.
        if not isinstance(labels, list) or not all(type(label) in (str, int) for label in labels):
            raise UserInputError(
                f'{label_file}: expected a list of class names or indices for {img_id!r}, '
                f'got {labels!r:.80}. Correct this entry.'
            )
    return tags


def read_voc_xml(xml_file: str | Path) -> Annotation | None:
    """Read the objects of a PASCAL VOC annotation; None if there is no such file.

    Only the ``<object>`` elements directly below the root are read, so boxes of parts (head, hand,
    foot of a person) are not mistaken for objects. Coordinates are taken as written, without a
    shift by one pixel.

    Raises:
        UserInputError: The file is not XML, its root is not ``<annotation>``, its objects are not
            directly below the root, or an object has no name, repeats an element or has a box that
            is not numeric.
    """
    if not os.path.lexists(xml_file):
        return None
    content = read_bytes(xml_file, 'annotation', max_bytes=_MAX_XML_BYTES)
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UserInputError(
            f'{xml_file} is not readable XML: {error}. Restore this file.'
        ) from error
    if root.tag != 'annotation':
        raise UserInputError(
            f'{xml_file}: expected <annotation> as the outermost element, got <{root.tag:.40}>. '
            'Check that this is not another file, such as the error page of a failed download.'
        )
    elements = root.findall('object')
    if not elements and root.find('.//object') is not None:
        raise UserInputError(
            f'{xml_file}: its <object> elements are not directly below <annotation>. Move them '
            'there, as in PASCAL VOC.'
        )
    return Annotation([_parse_object(one, xml_file) for one in elements], _parse_shape(root))


def _parse_object(element: ElementTree.Element, xml_file: str | Path) -> AnnotatedObject:
    name = (_text(element, 'name', xml_file) or '').strip()
    if not name:
        raise UserInputError(f'{xml_file}: an <object> has no <name>. Add it.')
    corners = _child(element, 'bndbox', xml_file)
    box: Any = None
    if corners is not None:
        texts = [_text(corners, corner, xml_file) for corner in _CORNERS]
        box = tuple(_parse_float(text) for text in texts)
        if not all(map(math.isfinite, box)):
            found = {k: text and text[:20] for k, text in zip(_CORNERS, texts, strict=True)}
            raise UserInputError(
                f'{xml_file}: the box of a {name!r:.80} has {found}; expected four numbers.'
            )
    return AnnotatedObject(name, box, (element.findtext('difficult') or '').strip() == '1')


def _child(
    element: ElementTree.Element, tag: str, xml_file: str | Path
) -> ElementTree.Element | None:
    found = element.findall(tag)
    if len(found) > 1:
        raise UserInputError(
            f'{xml_file}: an <{element.tag}> has {len(found)} <{tag}> elements. Keep the right one.'
        )
    return found[0] if found else None


def _text(element: ElementTree.Element, tag: str, xml_file: str | Path) -> str | None:
    child = _child(element, tag, xml_file)
    return None if child is None else child.text


def _parse_shape(root: ElementTree.Element) -> tuple[int, int] | None:
    height, width = (_parse_float(root.findtext(f'size/{side}')) for side in ('height', 'width'))
    # Some tools write 0 when they do not know the size.
    known = 1 <= height < math.inf and 1 <= width < math.inf
    return (int(height), int(width)) if known else None


def _parse_float(text: str | None) -> float:
    try:
        # Python also reads 1_0 as ten.
        return math.nan if '_' in (text or '') else float(text or '')
    except ValueError:
        return math.nan
