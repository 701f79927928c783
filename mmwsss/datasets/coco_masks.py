"""True masks from the polygons and run lengths in a COCO file."""

import io
import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from mmwsss.datasets.annotations import check_image_id
from mmwsss.datasets.image_files import MAX_PIXELS
from mmwsss.datasets.label_formats.coco_file import CocoFile, id_of, is_crowd, wrong
from mmwsss.datasets.palette import class_colors
from mmwsss.structures import (
    BACKGROUND,
    IGNORE_INDEX,
    UserInputError,
    check_class_count,
    to_seg_label,
)
from mmwsss.structures.atomic_files import write_atomically

Crowd = Literal['class', 'ignore', 'background']


class CocoObject(NamedTuple):
    """An object to be painted; ``segmentation`` is as in the file, polygons as text."""

    value: int
    is_crowd: bool
    area: float | None
    number: int
    segmentation: Any


class CocoImage(NamedTuple):
    """What a mask is painted from; ``name`` is the image's name without suffix."""

    name: str
    height: int
    width: int
    objects: list[CocoObject]


def classes_of(file: CocoFile) -> dict[str, int]:
    """Return the label value of each class name: 1 + the rank of the category's id.

    Raises:
        UserInputError: There are too many classes, two share a name, or an id is not an integer.
    """
    keys = sorted(file.classes, key=lambda key: _integer(key, file.path))
    names = [file.classes[key] for key in keys]
    if len(set(names)) < len(names):
        raise UserInputError(f'{file.path}: two categories have the same name. Rename one.')
    check_class_count(['background', *names])
    return {name: to_seg_label(index) for index, name in enumerate(names)}


def images_of(
    file: CocoFile, *, crowd: Crowd = 'class', keep_empty: bool = False
) -> list[CocoImage]:
    """List what the masks are painted from, sorted by name.

    Args:
        file: The COCO file, with polygons as text.
        crowd: What crowds become: their class, the ignored value, or background.
        keep_empty: Whether images without an annotation get a mask that is all background.

    Raises:
        UserInputError: An entry lacks a required field.
    """
    values = classes_of(file)
    by_image = file.by_image()
    if keep_empty:
        by_image = {key: by_image.get(key, []) for key in file.images}
    found = []
    for key, name in file.names_of(by_image).items():
        stem = PurePosixPath(name).with_suffix('').as_posix()
        height, width = _size(file.images[key], file.path)
        objects = [
            _object(entry, values[file.classes[str(entry['category_id'])]], crowd, file.path)
            for entry in by_image[key]
            if crowd != 'background' or not is_crowd(entry)
        ]
        found.append(CocoImage(check_image_id(stem, file.path), height, width, objects))
    return sorted(found)


def paint_mask(image: CocoImage) -> np.ndarray:
    """Paint the objects of an image, smaller ones on top, uint8 (H, W).

    Of two objects with the same area, the one with the smaller id is on top. Crowds lie below all
    objects. Weakly supervised papers evaluate on masks in this order.

    Source: coco2voc, https://github.com/alicranck/coco2voc, which AFA and ToCo name. Differs:
    label values are contiguous, and crowds do not compete with objects.

    Raises:
        UserInputError: pycocotools is missing, or an object cannot be painted.
    """
    tools = import_pycocotools()
    mask = np.full((image.height, image.width), BACKGROUND, dtype=np.uint8)
    layers = []
    for one in image.objects:
        if encoded := _encode(one, image, tools):
            area = float(tools.area(encoded)) if one.area is None else one.area
            layers.append((not one.is_crowd, -area, -one.number, one.value, encoded))
    for *_, value, encoded in sorted(layers, key=lambda layer: layer[:3]):
        mask[tools.decode(encoded).astype(bool)] = value
    return mask


def write_masks(images: Iterable[CocoImage], folder: Path) -> None:
    """Write the masks of images as palette PNGs, ``<folder>/<name>.png``."""
    palette = np.array(class_colors(256), dtype=np.uint8).tobytes()
    for image in images:
        picture = Image.fromarray(paint_mask(image))
        picture.putpalette(palette)
        buffer = io.BytesIO()
        picture.save(buffer, format='PNG')
        write_atomically(folder / f'{image.name}.png', buffer.getvalue())


def import_pycocotools() -> ModuleType:
    """Import the optional package that decodes polygons and run lengths.

    Raises:
        UserInputError: It is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError as error:
        raise UserInputError(
            'Painting COCO masks needs pycocotools: pip install "mmwsss[coco]", or pip install '
            'pycocotools.'
        ) from error
    return mask


def _encode(one: CocoObject, image: CocoImage, tools: ModuleType) -> dict | None:
    """Turn polygons or run lengths into compressed run lengths; None if there are none."""
    shape = (image.height, image.width)
    try:
        encoded = _compress(one.segmentation, shape, tools)
        if encoded is not None and tools.decode(encoded).shape != shape:
            raise ValueError(f'its size is {encoded["size"]}, that of the image {list(shape)}')
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise UserInputError(
            f'The `segmentation` of the annotation {one.number} of the image {image.name!r:.80} '
            f'cannot be painted: {error}. Correct the file.'
        ) from error
    return encoded


def _compress(segmentation: Any, shape: tuple[int, int], tools: ModuleType) -> dict | None:
    if isinstance(segmentation, dict):
        if not isinstance(segmentation['counts'], list):
            return segmentation
        # pycocotools would leave the rest of the mask undefined.
        if sum(segmentation['counts']) != shape[0] * shape[1]:
            raise ValueError('its run lengths do not fill the image')
        return tools.frPyObjects(segmentation, *shape)
    polygons = json.loads(segmentation) if isinstance(segmentation, str) else []
    # pycocotools would take four numbers as a box.
    polygons = [points for points in polygons if len(points) >= 6]
    return tools.merge(tools.frPyObjects(polygons, *shape)) if polygons else None


def _object(entry: dict, value: int, crowd: Crowd, path: Path) -> CocoObject:
    area = entry.get('area')
    if area is not None and type(area) not in (int, float):
        raise wrong(entry, f'`area` is {area!r:.40}, expected a number', path)
    of_crowd = is_crowd(entry)
    if of_crowd and crowd == 'ignore':
        value = IGNORE_INDEX
    number = _integer(id_of(entry, 'id', path), path)
    return CocoObject(value, of_crowd, area, number, entry.get('segmentation'))


def _size(entry: dict, path: Path) -> tuple[int, int]:
    height, width = entry.get('height'), entry.get('width')
    if type(height) is not int or type(width) is not int or min(height, width) < 1:
        raise wrong(entry, f'`height`, `width` are {height!r:.20}, {width!r:.20}', path)
    if height * width > MAX_PIXELS:
        raise wrong(entry, f'{height} x {width} is too large for an image', path)
    return height, width


def _integer(key: str, path: Path) -> int:
    if not key.isdecimal():
        raise UserInputError(f'{path}: the id {key!r:.40} is not an integer. Number the entries.')
    return int(key)
