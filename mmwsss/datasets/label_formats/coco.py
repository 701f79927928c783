"""Boxes, or tags, in a COCO JSON file."""

from collections.abc import Sequence
from typing import Any

from mmwsss.datasets.annotations import AnnotatedObject, Box
from mmwsss.datasets.label_formats.records import LabelSource, WeakLabels
from mmwsss.structures import UserInputError

_LISTS = ('images', 'annotations', 'categories')


def is_coco(content: object) -> bool:
    """Whether JSON has the lists of COCO; tags are lists of names and numbers."""
    if not isinstance(content, dict):
        return False
    lists = [content.get(key) for key in _LISTS]
    return any(
        isinstance(one, list) and one != [] and all(isinstance(entry, dict) for entry in one)
        for one in lists
    )


def read_coco(content: object, source: LabelSource) -> WeakLabels:
    """Read the objects of images. A crowd, whose box is loose, is a tag.

    Ids may be of any base, have gaps, or be strings; categories of the same name are one class.
    Images without an annotation have no label: they are left out.

    Args:
        content: What the JSON file holds.
        source: The images.

    Raises:
        UserInputError: A list or a field is missing or of another kind, an id is there twice or
            leads nowhere, an image does not exist or is listed twice, or only some objects have a
            box.
    """
    images, annotations, categories = _lists(content, source)
    classes = {key: _text(one, 'name', source) for key, one in _by_id(categories, source).items()}
    by_image: dict[str, list[AnnotatedObject]] = {}
    boxes = 0
    crowds = 0
    for one in annotations:
        name = classes.get(_id(one, 'category_id', source))
        if name is None:
            raise _error(one, 'its `category_id` is not in `categories`', source)
        is_crowd = one.get('iscrowd') == 1
        box = None if is_crowd or one.get('bbox') is None else _box(one, source)
        crowds += is_crowd
        boxes += box is not None
        by_image.setdefault(_id(one, 'image_id', source), []).append(
            AnnotatedObject(name, box, False)
        )
    if boxes and boxes + crowds < len(annotations):
        raise UserInputError(
            f'{source.path}: {boxes} annotations have a `bbox`, '
            f'{len(annotations) - boxes - crowds} have none. Add it, or remove these annotations.'
        )
    names = _image_names(images, by_image, source)
    ids = source.images.match(names, source.path)
    objects = {ids[name]: by_image[key] for name, key in names.items()}
    return WeakLabels(objects, has_boxes=boxes > 0)


def _image_names(
    images: list[dict], labelled: dict[str, Any], source: LabelSource
) -> dict[str, str]:
    """Give ``{file_name: id}`` of the labelled images."""
    entries = _by_id(images, source)
    if lost := [key for key in labelled if key not in entries]:
        raise UserInputError(
            f'{source.path}: {len(lost)} ids of images in `annotations` are not in `images`, the '
            f'first is {lost[0]!r:.80}. Restore the file.'
        )
    names = {}
    for key, entry in entries.items():
        if key in labelled:
            name = _text(entry, 'file_name', source)
            if name in names:
                raise _error(entry, f'{name!r:.80} is the `file_name` of another image', source)
            names[name] = key
    return names


def _lists(content: object, source: LabelSource) -> Sequence[list[dict]]:
    found = [content.get(key) if isinstance(content, dict) else None for key in _LISTS]
    for key, entries in zip(_LISTS, found, strict=True):
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            raise UserInputError(
                f'{source.path}: `{key}` is missing or not a list of objects. Expected a COCO file '
                'with `images`, `annotations` and `categories`.'
            )
    return found  # type: ignore[return-value]  # checked above


def _by_id(entries: list[dict], source: LabelSource) -> dict[str, dict]:
    found = {_id(entry, 'id', source): entry for entry in entries}
    if len(found) < len(entries):
        raise UserInputError(
            f'{source.path}: {len(entries) - len(found)} ids are there twice. Restore the file.'
        )
    return found


def _id(entry: dict, key: str, source: LabelSource) -> str:
    """Give an id as text: some tools write numbers in one place and strings in another."""
    value = entry.get(key)
    if type(value) not in (int, str):
        raise _error(entry, f'`{key}` is {value!r:.40}, expected an integer or a string', source)
    return str(value)


def _text(entry: dict, key: str, source: LabelSource) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _error(entry, f'`{key}` is {value!r:.40}, expected a name', source)
    return value.strip()


def _box(entry: dict, source: LabelSource) -> Box:
    """Turn x, y, width, height into xyxy."""
    box = entry['bbox']
    is_four = isinstance(box, list) and len(box) == 4
    if not is_four or not all(type(value) in (int, float) for value in box):
        raise _error(entry, f'`bbox` is {box!r:.80}, expected [x, y, width, height]', source)
    x, y, width, height = map(float, box)
    return x, y, x + width, y + height


def _error(entry: dict, reason: str, source: LabelSource) -> UserInputError:
    return UserInputError(
        f'{source.path}: an entry with the id {entry.get("id")!r:.40}: {reason}. Correct the file.'
    )
