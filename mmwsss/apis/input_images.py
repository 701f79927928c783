"""Images to predict: files, folders, patterns and arrays, with what is known about each."""

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwsss.datasets.image_files import IMAGE_SUFFIXES, read_image
from mmwsss.datasets.weak_labels import ClassIndex
from mmwsss.structures import UserInputError
from mmwsss.structures.input_files import check_file


@dataclass(frozen=True)
class InputImage:
    """An image to predict.

    Attributes:
        img_id: Name of its results.
        path: Its file, or None.
        pixels: An array instead of a file, uint8 BGR (H, W, 3).
    """

    img_id: str
    path: str | None = None
    pixels: np.ndarray | None = None

    def read(self) -> np.ndarray:
        """Return the upright image, uint8 RGB (H, W, 3)."""
        if self.pixels is None:
            return read_image(str(self.path))
        return np.ascontiguousarray(self.pixels[..., ::-1])


def input_images(inputs: Any) -> list[InputImage]:
    """List the images of an input: a path, folder, pattern, array, or a list of them.

    A folder stands for its image files, including those in its subfolders, sorted. These images are
    named after their path below it without suffix, a single file after its name, and an array after
    its number.

    Raises:
        UserInputError: If there is no image, or an input is of another kind.
    """
    entries = inputs if isinstance(inputs, list | tuple) else [inputs]
    images: list[InputImage] = []
    for entry in entries:
        if isinstance(entry, InputImage):
            images.append(entry)
        elif isinstance(entry, np.ndarray):
            images.append(_of_array(entry, len(images)))
        elif isinstance(entry, str | os.PathLike):
            images += _of_path(os.fspath(entry))
        else:
            raise UserInputError(
                f'Expected a path or an array as input, got {type(entry).__name__}.'
            )
    if not images:
        raise UserInputError('There is no image to predict: the list is empty.')
    return images


def is_list(inputs: Any) -> bool:
    """Whether an input stands for several images, even if there is one."""
    if isinstance(inputs, list | tuple):
        return True
    return isinstance(inputs, str | os.PathLike) and not os.path.isfile(inputs)


def check_names(images: Sequence[InputImage]) -> None:
    """Refuse images of the same name, whose results would overwrite each other."""
    twice = [name for name, count in Counter(image.img_id for image in images).items() if count > 1]
    if twice:
        paths = [str(image.path) for image in images if image.img_id == twice[0]]
        raise UserInputError(
            f'names shared by several images: {len(twice)}, the first is {twice[0]!r} '
            f'({", ".join(paths[:2])}). Their results would overwrite each other. Rename them, or '
            'pass the folder above them.'
        )


def _of_array(pixels: np.ndarray, number: int) -> InputImage:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise UserInputError(
            f'Expected an image as uint8 BGR (H, W, 3), got {pixels.dtype} {pixels.shape}.'
        )
    return InputImage(f'{number:08d}', pixels=pixels)


def _of_path(path: str) -> list[InputImage]:
    if os.path.isdir(path):
        return _of_folder(path)
    if not os.path.lexists(path) and glob.has_magic(path):
        found = sorted(filter(_is_image, glob.glob(path, recursive=True)))
        if not found:
            raise UserInputError(f'No image file matches the pattern {path!r}.')
        return [InputImage(Path(file).stem, file) for file in found]
    check_file(path, 'image file')
    return [InputImage(Path(path).stem, path)]


def _of_folder(folder: str) -> list[InputImage]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.')]
        found += [Path(parent, name) for name in names if _is_image(name) and name[0] != '.']
    if not found:
        raise UserInputError(f'The folder {folder!r} has no image file.')
    return [
        InputImage(path.relative_to(folder).with_suffix('').as_posix(), str(path))
        for path in sorted(found)
    ]


def _is_image(path: str) -> bool:
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def weak_labels(
    tags: Any, boxes: Any, images: Sequence[InputImage], classes: tuple[str, ...], *, many: bool
) -> list[dict | None]:
    """Return the weak label of every image in the form of a data list entry.

    Args:
        tags: Names or indices of the classes of each image; with boxes, one for each box. For a
            single image, just its tags. None if nothing is known.
        boxes: xyxy in pixels, (m, 4), of each image, or None.
        images: The images.
        classes: Names of the foreground classes.
        many: Whether the input was a list.

    Raises:
        UserInputError: If numbers do not match or a class is unknown.
    """
    own_tags = _one_for_each('tags', tags, images, many=many)
    own_boxes = _one_for_each('boxes', boxes, images, many=many)
    index = ClassIndex(classes, classes)
    return [
        _weak_label(image.img_id, image_tags, image_boxes, index)
        for image, image_tags, image_boxes in zip(images, own_tags, own_boxes, strict=True)
    ]


def _one_for_each(name: str, values: Any, images: Sequence[InputImage], *, many: bool) -> list:
    if values is None:
        return [None] * len(images)
    values = list(values) if many and not isinstance(values, str) else [values]
    if len(values) != len(images):
        raise UserInputError(
            f'`{name}` must have one entry per image, {len(images)} in all, got {len(values)}.'
        )
    return values


def _weak_label(img_id: str, tags: Any, boxes: Any, index: ClassIndex) -> dict | None:
    if tags is None:
        if boxes is not None:
            raise UserInputError(f'image {img_id}: `boxes` need `tags`, the class of each box.')
        return None
    names = [tags] if isinstance(tags, str | int) else list(tags)
    labels = [index.find(name, f'tags of image {img_id}') for name in names]
    if boxes is None:
        return {'gt_label': sorted(set(labels))}
    corners = np.asarray(boxes, dtype=float).reshape(-1, 4)
    if len(corners) != len(labels):
        raise UserInputError(
            f'image {img_id}: `tags` must name the class of each of the {len(corners)} boxes, got '
            f'{len(labels)}.'
        )
    pairs = zip(corners.tolist(), labels, strict=True)
    return {'instances': [{'bbox': box, 'bbox_label': label} for box, label in pairs]}
