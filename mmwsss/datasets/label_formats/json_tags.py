"""Tags in JSON: ``{image: [class names or indices]}``."""

from mmwsss.datasets.annotations import check_tags
from mmwsss.datasets.label_formats.records import LabelSource, WeakLabels, tags_of
from mmwsss.structures import UserInputError


def read_json_tags(content: object, source: LabelSource) -> WeakLabels:
    """Read the tags of images; an index refers to the expected classes, counted from 0.

    Args:
        content: Content of the JSON file.
        source: Images and classes.

    Raises:
        UserInputError: The content has another form, an index is out of range, or an image does
            not exist or is named twice.
    """
    tags = check_tags(content, source.path)
    ids = source.images.match(tags, source.path)
    objects = {
        ids[name]: tags_of(_class_name(label, source) for label in labels)
        for name, labels in tags.items()
    }
    return WeakLabels(objects, has_boxes=False)


def _class_name(label: str | int, source: LabelSource) -> str:
    if isinstance(label, str):
        return label
    if not 0 <= label < len(source.classes):
        raise UserInputError(
            f'{source.path}: {label} is not the index of one of the {len(source.classes)} classes. '
            'The first class has the index 0, the background has none. Names are safer.'
        )
    return source.classes[label]
