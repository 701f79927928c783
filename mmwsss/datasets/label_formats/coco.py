"""Boxes or tags in a COCO JSON file."""

from pathlib import Path

from mmwsss.datasets.annotations import AnnotatedObject, Box
from mmwsss.datasets.label_formats.coco_file import check_coco, is_crowd, wrong
from mmwsss.datasets.label_formats.records import LabelSource, WeakLabels
from mmwsss.structures import UserInputError

_NUMBERS = {int, float}


def read_coco(content: object, source: LabelSource) -> WeakLabels:
    """Read the objects of images. A crowd, whose box is loose, is read as a tag.

    Ids may start at any number, have gaps, or be strings. Categories of the same name are one
    class. Images without an annotation have no label and are left out.

    Args:
        content: Content of the JSON file.
        source: The images.

    Raises:
        UserInputError: A list or a field is missing or of another kind, an id occurs twice or
            refers to nothing, an image does not exist or is listed twice, or only some objects have
            a box.
    """
    file = check_coco(content, source.path)
    by_image = file.by_image()
    names = file.names_of(by_image)
    ids = source.images.match(names.values(), source.path)
    objects = {
        ids[name]: [_object(entry, file.classes, file.path) for entry in by_image[key]]
        for key, name in names.items()
    }
    crowds = sum(map(is_crowd, file.annotations))
    boxes = sum(one.box is not None for found in objects.values() for one in found)
    if boxes and boxes + crowds < len(file.annotations):
        raise UserInputError(
            f'{file.path}: {boxes} annotations have a `bbox`, but '
            f'{len(file.annotations) - boxes - crowds} have none. Add it, or remove these '
            'annotations.'
        )
    return WeakLabels(objects, has_boxes=boxes > 0)


def _object(entry: dict, classes: dict[str, str], path: Path) -> AnnotatedObject:
    has_box = not is_crowd(entry) and entry.get('bbox') is not None
    name = classes[str(entry['category_id'])]
    return AnnotatedObject(name, _box(entry, path) if has_box else None, False)


def _box(entry: dict, path: Path) -> Box:
    """Turn x, y, width, height into xyxy."""
    box = entry['bbox']
    is_four = isinstance(box, list) and len(box) == 4
    if not is_four or not _NUMBERS.issuperset(map(type, box)):
        raise wrong(entry, f'`bbox` is {box!r:.80}, expected [x, y, width, height]', path)
    x, y, width, height = map(float, box)
    return x, y, x + width, y + height
