"""Turns annotations into weak labels in class indices, and counts everything left out."""

import logging
import os
from collections import defaultdict
from pathlib import Path
from typing import Literal

from mmengine.logging import print_log

from mmwsss.datasets.annotations import AnnotatedObject, read_tags, read_voc_xml
from mmwsss.structures import UserInputError, read_proportions

# Boxes with a shorter side (in image pixels) are left out.
MIN_BOX_SIDE = 1


class Notes:
    """Counts what was left out or changed, to report it in one line per kind."""

    def __init__(self) -> None:
        self._noted: dict[str, list[str]] = defaultdict(list)

    def add(self, note: str, img_id: str) -> None:
        """Count one more case of ``note``."""
        self._noted[note].append(img_id)

    def log(self) -> None:
        """Warn once for every kind of note."""
        for note, img_ids in self._noted.items():
            print_log(f'{len(img_ids)} {note} (first: {img_ids[0]}).', 'current', logging.WARNING)


class ClassIndex:
    """Turns class names into indices 0..K-1.

    Args:
        classes: The foreground classes in use.
        known: All class names that may occur; those not in use are left out.
    """

    def __init__(self, classes: tuple[str, ...], known: tuple[str, ...]) -> None:
        self.classes = classes
        self._index = {**dict.fromkeys(known), **{name: i for i, name in enumerate(classes)}}

    def find(self, name: str | int, source: str | Path) -> int | None:
        """Return the index for a class name or valid index; None for a class not in use.

        Raises:
            UserInputError: There is no such class.
        """
        if isinstance(name, int) and 0 <= name < len(self.classes):
            return name
        if name not in self._index:
            raise UserInputError(
                f'{source}: unknown class {name!r:.80}. The foreground classes (0..'
                f'{len(self.classes) - 1}) are {", ".join(self.classes)}. Correct the file, or '
                "list your classes in `metainfo=dict(classes=('background', ...))`."
            )
        return self._index[name]


def tag_label(objects: list[tuple[AnnotatedObject, int]]) -> dict[str, list]:
    """Return the tags of an image, ``gt_label``.

    Args:
        objects: Objects of the image with their class indices.
    """
    return {'gt_label': sorted({label for _, label in objects})}


def box_label(
    objects: list[tuple[AnnotatedObject, int]],
    img_id: str,
    *,
    shape: tuple[int, int] | None,
    notes: Notes,
) -> dict[str, list]:
    """Return the boxes of an image, ``instances``; objects without a box are left out.

    Args:
        objects: Objects of the image with their class indices.
        img_id: Id of the image.
        shape: Its height and width, if known.
        notes: Collects boxes that are left out or reach beyond the image.
    """
    instances = []
    height, width = shape or (float('inf'), float('inf'))
    for entry, label in objects:
        if entry.box is None:
            continue
        x1, y1, x2, y2 = entry.box
        if min(x2 - x1, y2 - y1) < MIN_BOX_SIDE:
            note = 'boxes with a side below 1 pixel or swapped corners are left out'
            notes.add(note, img_id)
            continue
        # The size in the file may itself be wrong, so the loaded image decides.
        inside = min(min(x2, width) - max(x1, 0), min(y2, height) - max(y1, 0))
        if inside < MIN_BOX_SIDE:
            note = 'boxes have a side below 1 pixel inside the image and are left out there'
            notes.add(note, img_id)
        elif x1 < 0 or y1 < 0 or x2 > width or y2 > height:
            notes.add('boxes reach beyond the image and are clipped to it', img_id)
        instances.append({'bbox': [x1, y1, x2, y2], 'bbox_label': label})
    return {'instances': instances}


class XMLLabels:
    """Reads the boxes or tags of an image from its PASCAL VOC XML file.

    Args:
        folder: Folder of the XML files.
        class_index: The classes.
        kind: Which of the two to read.
        keep_difficult: Whether to keep objects marked as difficult.
        notes: Collects what is left out.

    Raises:
        UserInputError: There is no such folder.
    """

    def __init__(
        self,
        folder: str,
        class_index: ClassIndex,
        *,
        kind: Literal['box', 'tag'],
        keep_difficult: bool,
        notes: Notes,
    ) -> None:
        if not os.path.isdir(folder):
            raise UserInputError(
                f'The folder of annotations {folder!r} does not exist. Check `data_root` and '
                '`data_prefix.ann_path` in the config.'
            )
        self.folder = folder
        self.class_index = class_index
        self.kind = kind
        self.keep_difficult = keep_difficult
        self.notes = notes

    def __call__(self, img_id: str) -> dict | None:
        """Return the label of an image; None if it has no XML file."""
        xml_file = os.path.join(self.folder, f'{img_id}.xml')
        annotation = read_voc_xml(xml_file)
        if annotation is None:
            return None
        objects = []
        for entry in annotation.objects:
            label = self.class_index.find(entry.name, xml_file)
            if label is None:
                self.notes.add('objects of classes that are not in use are left out', img_id)
            elif self.keep_difficult or not entry.difficult:
                objects.append((entry, label))
        if self.kind == 'tag':
            return tag_label(objects)
        for entry, _ in objects:
            if entry.box is None:
                raise UserInputError(
                    f'{xml_file}: an object {entry.name!r} has no <bndbox>. Add its box, or remove '
                    'the object.'
                )
        return box_label(objects, img_id, shape=annotation.shape, notes=self.notes)


class TagFileLabels:
    """Looks up the tags of an image in a JSON file.

    Args:
        label_file: JSON ``{image id: [class names or foreground class indices]}``.
        class_index: The classes.
        notes: Collects what is left out.
    """

    def __init__(self, label_file: str, class_index: ClassIndex, *, notes: Notes) -> None:
        self.label_file = label_file
        self.class_index = class_index
        self.notes = notes
        self.tags = read_tags(label_file)

    @property
    def image_ids(self) -> list[str]:
        """Ids of the images in the file."""
        return sorted(self.tags)

    def __call__(self, img_id: str) -> dict | None:
        """Return the label of an image; None if the file has no entry for it."""
        if img_id not in self.tags:
            return None
        labels = {self.class_index.find(tag, self.label_file) for tag in self.tags[img_id]}
        if None in labels:
            self.notes.add('images have tags of classes that are not in use', img_id)
        return {'gt_label': sorted(labels - {None})}


def add_proportions(entries: list[dict], proportion_file: str, classes: tuple[str, ...]) -> None:
    """Add ``proportions`` float64 (K,), the share of the pixels of each class, to all entries.

    Args:
        entries: Entries of a data list with their ``img_id``, changed in place.
        proportion_file: File of proportions; see :mod:`mmwsss.structures.proportion_files`.
        classes: Names of the foreground classes.

    Raises:
        UserInputError: The file cannot be read, has other classes, or lacks images.
    """
    ids, values, found = read_proportions(proportion_file)
    if found != classes:
        raise UserInputError(
            f'{proportion_file}: `classes` are {", ".join(found)}, but the foreground classes of '
            f'the data set are {", ".join(classes)}. Make the file again from labels with these '
            'classes.'
        )
    rows = dict(zip(ids, values, strict=True))
    lacking = [entry['img_id'] for entry in entries if entry['img_id'] not in rows]
    if lacking:
        raise UserInputError(
            f'{proportion_file}: `ids` lacks {len(lacking)} of {len(entries)} images, the first is '
            f'{lacking[0]!r}. Make labels of all images in the list and the file from them, or '
            'train only on the images that have labels.'
        )
    for entry in entries:
        entry['proportions'] = rows[entry['img_id']]
