"""Boxes or tags in a folder with one PASCAL VOC XML file per image."""

from mmwsss.datasets.annotations import AnnotatedObject, read_voc_xml
from mmwsss.datasets.label_formats.label_files import files_below
from mmwsss.datasets.label_formats.records import LabelSource, WeakLabels
from mmwsss.structures import UserInputError


def read_voc_folder(source: LabelSource) -> WeakLabels:
    """Read the objects of images; an XML file is named after its image.

    Coordinates are taken as written. An XML file without objects means an image without objects.

    Raises:
        UserInputError: There is no XML file, one is unreadable or matches no image, two match the
            same image, or only some objects have a box.
    """
    files = files_below(source.path, ['.xml'])
    if not files:
        raise UserInputError(f'{source.path} holds no XML file. Check `labels`.')
    ids = source.images.match((name[: -len('.xml')] for name in files), source.path)
    found = {path: _objects(path) for path in files.values()}
    with_box = [path for path, objects in found.items() if any(one.box for one in objects)]
    without = [path for path, objects in found.items() if any(not one.box for one in objects)]
    if with_box and without:
        raise UserInputError(
            f'{without[0]}: an object has no <bndbox>, but others have one, as in {with_box[0]}. '
            'Add it, or remove the object.'
        )
    objects = {ids[name[: -len('.xml')]]: found[path] for name, path in files.items()}
    return WeakLabels(objects, has_boxes=not without)


def _objects(path: str) -> list[AnnotatedObject]:
    annotation = read_voc_xml(path)
    return annotation.objects if annotation else []
