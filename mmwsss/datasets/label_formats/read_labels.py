"""Detects the format of labels, and reads them."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmwsss.datasets.label_formats.class_folders import read_class_folders
from mmwsss.datasets.label_formats.coco import read_coco
from mmwsss.datasets.label_formats.coco_file import is_coco
from mmwsss.datasets.label_formats.csv_tags import read_csv_tags
from mmwsss.datasets.label_formats.json_tags import read_json_tags
from mmwsss.datasets.label_formats.label_files import files_below, read_annotation_json
from mmwsss.datasets.label_formats.records import ImageNames, LabelSource, WeakLabels
from mmwsss.datasets.label_formats.voc_xml import read_voc_folder
from mmwsss.datasets.label_formats.yolo import is_yolo_file, read_yolo_folder
from mmwsss.datasets.weak_labels import Notes
from mmwsss.structures import UserInputError

_JSON = {'tags': read_json_tags, 'coco': read_coco}
_OTHERS: dict[str, Callable[[LabelSource], WeakLabels]] = {
    'csv': read_csv_tags,
    'voc': read_voc_folder,
    'yolo': read_yolo_folder,
    'folders': read_class_folders,
}
FORMATS = (*_JSON, *_OTHERS)
"""Names of all formats."""


def read_labels(
    path: str | Path,
    *,
    image_files: Mapping[str, str | Path],
    format: str | None = None,
    classes: Sequence[str] = (),
    notes: Notes | None = None,
) -> WeakLabels:
    """Read the labels of images from a file or a folder.

    Class names are those of the source, whether or not they are among ``classes``; boxes are xyxy
    in pixels of the image.

    Args:
        path: JSON of tags, COCO JSON, CSV, a folder of PASCAL VOC XML or of YOLO txt files, or a
            folder with one folder per class.
        image_files: Paths of all images by id, the path below the image folder without suffix.
        format: One of :data:`FORMATS`; None detects it from the content.
        classes: Expected class names. Indices in a JSON of tags refer to their order, and they tell
            which words of a CSV form one name.
        notes: Collects what was changed or left out; by default it is logged.

    Raises:
        UserInputError: There is no such file or folder, it is damaged or in none of the formats, or
            it has labels of an image that does not exist.
    """
    if format is not None and format not in FORMATS:
        raise UserInputError(f'Expected `format` to be one of {FORMATS}, got {format!r}.')
    path = Path(path)
    if not path.exists():
        raise UserInputError(f'The labels {str(path)!r} do not exist. Check `root` and `labels`.')
    own_notes = Notes()
    names = ImageNames(image_files)
    source = LabelSource(path, names, tuple(classes), own_notes if notes is None else notes)
    with _garbage_kept():
        labels = _read(source, format)
    own_notes.log()
    return labels


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Switch off garbage collection, which took half of the time among millions of new objects."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(source: LabelSource, format: str | None) -> WeakLabels:
    is_folder = source.path.is_dir()
    if format is not None and is_folder != (format in ('voc', 'yolo', 'folders')):
        expected, found = ('a file', 'a folder') if is_folder else ('a folder', 'a file')
        raise UserInputError(
            f'{source.path} is {found}, but format={format!r} expects {expected}. Name it in '
            '`labels`, or leave out `format`.'
        )
    if format is None:
        format = _find_folder_format(source) if is_folder else _find_file_format(source.path)
    if format in _OTHERS:
        return _OTHERS[format](source)
    content = read_annotation_json(source.path)
    if format == 'json':
        format = 'coco' if is_coco(content) else 'tags'
    return _JSON[format](content, source)


def _find_file_format(path: Path) -> str:
    with path.open('rb') as file:
        start = file.read(1024).removeprefix(b'\xef\xbb\xbf').lstrip()
    return 'json' if start.startswith((b'{', b'[')) else 'csv'


def _find_folder_format(source: LabelSource) -> str:
    found = []
    if files_below(source.path, ['.xml']):
        found.append('voc')
    if any(is_yolo_file(file) for file in files_below(source.path, ['.txt']).values()):
        found.append('yolo')
    if len(found) > 1:
        raise UserInputError(
            f"{source.path} holds XML and txt files. State which are the labels: format='voc' or "
            "format='yolo'."
        )
    return found[0] if found else 'folders'
