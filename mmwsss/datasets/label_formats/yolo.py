"""Boxes in a folder with one YOLO txt file per image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mmwsss.datasets.annotations import AnnotatedObject, Box
from mmwsss.datasets.image_files import read_image_size
from mmwsss.datasets.label_formats.label_files import files_below
from mmwsss.datasets.label_formats.records import LabelSource, WeakLabels
from mmwsss.structures import UserInputError
from mmwsss.structures.input_files import read_text

_CLASS_LISTS = ('classes.txt', 'obj.names')
_DATA_FILES = ('data.yaml', 'data.yml')
_LEVELS_ABOVE = 2  # <root>/data.yaml beside <root>/labels/train
_BEYOND = 0.1  # tolerance for rounding errors and objects that reach beyond the image


def is_yolo_file(path: str) -> bool:
    """Whether the first line of a text file is a class and at least four coordinates."""
    try:
        words = read_text(path, 'label file').partition('\n')[0].split()
        return len([float(word) for word in words]) > 4
    except (UserInputError, ValueError):
        return False


def read_yolo_folder(source: LabelSource) -> WeakLabels:
    """Read the objects of images; a txt file is named after its image.

    A line is ``class x y width height``: a class index counted from 0, then the centre and size of
    the box relative to the image size. A sixth value, the confidence of a prediction, is ignored.
    Polygons and oriented boxes are replaced by their upright bounding boxes. An empty file means an
    image without objects; an image without a file has no label.

    The names of the classes come from ``data.yaml`` or ``classes.txt``, in the folder or up to two
    levels above it.

    Raises:
        UserInputError: There is no label file, there are no class names, a line has another form, a
            file matches no image, or two match the same image.
    """
    files = {
        name[: -len('.txt')]: path
        for name, path in files_below(source.path, ['.txt']).items()
        if Path(name).name not in _CLASS_LISTS
    }
    if not files:
        raise UserInputError(f'{source.path} holds no txt file of labels. Check `labels`.')
    classes = _class_names(source.path)
    ids = source.images.match(files, source.path)
    objects = {
        ids[name]: _objects(path, ids[name], classes, source) for name, path in files.items()
    }
    return WeakLabels(objects, has_boxes=True)


def _objects(
    path: str, img_id: str, classes: Sequence[str], source: LabelSource
) -> list[AnnotatedObject]:
    lines = [line.split() for line in read_text(path, 'label file').splitlines()]
    rows = [
        (f'{path}, line {number}', words) for number, words in enumerate(lines, start=1) if words
    ]
    if not rows:
        return []
    height, width = read_image_size(source.images.files[img_id])
    objects = []
    for where, words in rows:
        name = _class_name(words[0], classes, where)
        if len(words) == 6:
            source.notes.add('boxes have a confidence, which is ignored', img_id)
        x1, y1, x2, y2 = _relative_box(words[1:], where)
        inside = tuple(min(max(value, 0.0), 1.0) for value in (x1, y1, x2, y2))
        if max(abs(a - b) for a, b in zip(inside, (x1, y1, x2, y2), strict=True)) > 1e-3:
            source.notes.add('boxes reach beyond the image and are clipped to it', img_id)
        x1, y1, x2, y2 = inside
        box = (x1 * width, y1 * height, x2 * width, y2 * height)
        objects.append(AnnotatedObject(name, box, False))
    return objects


def _class_name(word: str, classes: Sequence[str], where: str) -> str:
    index = float(word) if word.replace('.', '', 1).isdecimal() else -1.0
    if not index.is_integer() or not 0 <= index < len(classes):
        raise UserInputError(
            f'{where}: the class {word!r:.40} is not one of 0..{len(classes) - 1}. Indices start '
            f'at 0, and the names are {", ".join(classes):.200}.'
        )
    return classes[int(index)]


def _relative_box(words: Sequence[str], where: str) -> Box:
    """Return the corners xyxy of a box, or of the bounding box of a polygon."""
    is_box = len(words) in (4, 5)
    is_polygon = len(words) >= 6 and len(words) % 2 == 0
    if not is_box and not is_polygon:
        raise UserInputError(
            f'{where}: {len(words) + 1} values; expected `class x y width height`, or the class '
            'and pairs of coordinates of a polygon.'
        )
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise UserInputError(f'{where}: {error}; expected numbers.') from error
    coordinates = values[:4] if is_box else values
    if not all(-_BEYOND <= value <= 1 + _BEYOND for value in coordinates):
        raise UserInputError(
            f'{where}: expected coordinates in 0..1, relative to the image size, got '
            f'{" ".join(words):.80}. Divide x by the width of the image and y by its height.'
        )
    if is_box:
        x, y, width, height = coordinates
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    return (
        min(coordinates[::2]),
        min(coordinates[1::2]),
        max(coordinates[::2]),
        max(coordinates[1::2]),
    )


def _class_names(folder: Path) -> list[str]:
    """Find the names of the classes in the folder or above it."""
    folder = folder.absolute()
    for place in (folder, *folder.parents[:_LEVELS_ABOVE]):
        for name in _DATA_FILES:
            if (place / name).is_file():
                return _names_in_yaml(place / name)
        for name in _CLASS_LISTS:
            if (place / name).is_file():
                lines = read_text(place / name, 'list of classes').splitlines()
                return [line.strip() for line in lines if line.strip()]
    raise UserInputError(
        f'{folder}: YOLO files hold indices, but there are no class names. Write `names: [...]` to '
        'data.yaml, or one name per line to classes.txt, in this folder or above it, in the order '
        'of the indices.'
    )


def _names_in_yaml(path: Path) -> list[str]:
    """Read ``names`` from a YAML file, a list or a dict with the indices as keys."""
    try:
        content: Any = yaml.load(read_text(path, 'file'), Loader=_StrictLoader)
    except yaml.YAMLError as error:
        raise UserInputError(f'{path} is not valid YAML: {error}. Correct this file.') from error
    names = content.get('names') if isinstance(content, dict) else None
    if isinstance(names, dict):
        names = list(map(names.get, range(len(names))))
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise UserInputError(
            f'{path}: expected `names`, a list of class names or a dict with the keys 0, 1, .... '
            'Put a name that is a number, yes or no in quotes.'
        )
    if 'kpt_shape' in content:
        raise UserInputError(
            f'{path}: labels with keypoints (`kpt_shape`) are not supported. Export boxes instead.'
        )
    return [name.strip() for name in names]


class _StrictLoader(yaml.SafeLoader):
    """Refuses duplicate keys, of which YAML's own loader keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Build a dict."""
        keys = [key.value for key, _ in node.value]
        if twice := [key for key in keys if isinstance(key, str) and keys.count(key) > 1]:
            raise yaml.YAMLError(f'the key {twice[0]} occurs twice')
        return super().construct_mapping(node, deep)
