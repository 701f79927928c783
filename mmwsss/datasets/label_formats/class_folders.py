"""Tags by folder: ``<folder>/<class>/<image>``."""

import os
import unicodedata
from collections import defaultdict

from mmwsss.datasets.image_files import IMAGE_SUFFIXES
from mmwsss.datasets.label_formats.label_files import files_below
from mmwsss.datasets.label_formats.records import LabelSource, WeakLabels, tags_of
from mmwsss.structures import UserInputError


def read_class_folders(source: LabelSource) -> WeakLabels:
    """Read tags from the class folders that hold the images or copies of them.

    An image has the tag of every class folder that it is in. The folder may be the image folder
    itself; images next to the class folders have no label.

    Raises:
        UserInputError: There is no class folder, a class folder has no image, or a copy matches no
            image.
    """
    by_class = _files_by_class(source)
    ids = {os.path.abspath(path): img_id for img_id, path in source.images.files.items()}
    everywhere = {path: name for files in by_class.values() for name, path in files.items()}
    copies = {path: name for path, name in everywhere.items() if path not in ids}
    matched = source.images.match(copies.values(), source.path, repeated=True)
    ids.update({path: matched[name] for path, name in copies.items()})
    tags = defaultdict(list)
    for class_name, files in by_class.items():
        for path in files.values():
            tags[ids[path]].append(class_name)
    return WeakLabels({img_id: tags_of(names) for img_id, names in tags.items()}, has_boxes=False)


def _files_by_class(source: LabelSource) -> dict[str, dict[str, str]]:
    """List the images of every class folder: {class: {path below its folder: absolute path}}."""
    folder = source.path.absolute()
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith('.'))
    if not names:
        raise UserInputError(
            f'{source.path} holds neither XML files, nor YOLO txt files, nor one folder per class. '
            'Name the file or folder of the labels in `labels`.'
        )
    found = {}
    for name in names:
        files = files_below(folder / name, IMAGE_SUFFIXES)
        if not files:
            raise UserInputError(
                f'{source.path / name} holds no image, but every folder here is a class. Remove it.'
            )
        found[unicodedata.normalize('NFC', name)] = {
            below: os.path.abspath(path) for below, path in files.items()
        }
    return found
