"""The user's own data, described once: ``data = dict(root=..., classes=..., labels=...)``."""

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mmengine.logging import print_log

from mmwsss.datasets.annotations import AnnotatedObject, check_image_id, first_column, list_lines
from mmwsss.datasets.description_checks import checked_classes, checked_masks, checked_texts
from mmwsss.datasets.image_files import IMAGE_SUFFIXES
from mmwsss.datasets.label_formats import WeakLabels, read_labels
from mmwsss.datasets.label_formats.label_files import files_below
from mmwsss.datasets.label_formats.records import ImageNames
from mmwsss.datasets.palette import class_colors
from mmwsss.structures import UserInputError
from mmwsss.structures.names import nearest

Split = Literal['train', 'val']
_SHOWN = 5


@dataclass(frozen=True)
class DataDescription:
    """Where the images, labels, lists and masks of a data set are, and what they mean.

    An image is identified by its path below the folder of images, without suffix, with ``/`` and
    composed umlauts (NFC). Files are only looked up when they are needed.

    Attributes:
        root: Folder of the data.
        names: Name of each foreground class in the labels, mapped to the user's name for it.
            Several classes of the labels may share one name.
        images: Folder of the images.
        label_path: File or folder of the weak labels.
        train: List of the training images; None means all labelled images that are not in ``val``.
        val: List of the validation images; None means no validation.
        masks: Folder of the true masks; None if there are none.
        mask_values: Meaning of the values of the masks, see
            :func:`~mmwsss.datasets.true_masks.mask_values`; None means that value i is the i-th
            class.
        format: Format of the labels; None means that it is detected from their content.
    """

    root: str
    names: dict[str, str]
    images: str
    label_path: str
    train: str | None
    val: str | None
    masks: str | None
    mask_values: dict[int, int] | None
    format: str | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'DataDescription':
        """Read a description.

        Args:
            data: ``root``; ``classes``, names of the foreground classes or a dict from the names
                in the labels to your own; ``labels``; and optionally ``images`` (default
                ``'images'``), ``train``, ``val``, ``masks`` and ``format``. Paths are below
                ``root`` or absolute. ``masks`` is a folder or, if the masks have other classes,
                ``dict(path=..., classes=(...), others='background' or 'ignore')``.

        Raises:
            UserInputError: Naming the key that is missing, unknown or wrong.
        """
        texts = checked_texts(data)
        names = checked_classes(data['classes'])
        masks, values = checked_masks(data.get('masks'), names)
        paths = {
            key: path and os.path.join(texts['root'] or '', path)
            for key, path in {**texts, 'masks': masks}.items()
            if key not in ('root', 'format')
        }
        return cls(
            root=texts['root'] or '',
            names=names,
            images=paths['images'] or '',
            label_path=paths['labels'] or '',
            train=paths['train'],
            val=paths['val'],
            masks=paths['masks'],
            mask_values=values,
            format=texts['format'],
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The user's names of the foreground classes 0..K-1."""
        return tuple(dict.fromkeys(self.names.values()))

    @property
    def metainfo(self) -> dict[str, Any]:
        """Names and colours of all classes, background first."""
        classes = ('background', *self.classes)
        return {'classes': classes, 'palette': class_colors(len(classes))}

    @cached_property
    def image_files(self) -> dict[str, str]:
        """Paths of all images by id, sorted.

        Raises:
            UserInputError: There is no such folder, it holds no image, or two images share an id.
        """
        if not os.path.isdir(self.root):
            raise UserInputError(
                f'`root` of the data, {self.root!r}, is not a folder. Correct it; a relative path '
                'starts at the folder in which the command runs.'
            )
        files = _files_by_id(self.images, 'images', IMAGE_SUFFIXES)
        if not files:
            raise UserInputError(f'`images` of the data: {self.images!r} holds no image.')
        return files

    @cached_property
    def _mask_files(self) -> dict[str, str]:
        if self.masks is None:
            return {}
        files = _files_by_id(self.masks, 'masks', ('.png',))
        if files.keys().isdisjoint(self.image_files):
            raise UserInputError(
                f'`masks` of the data: {self.masks!r} holds no mask of any image. The mask of the '
                f'image {next(iter(self.image_files))!r} must have the same name and end in .png.'
            )
        return files

    @cached_property
    def _image_names(self) -> ImageNames:
        return ImageNames(self.image_files)

    def true_mask(self, img_id: str) -> str | None:
        """Path of the true mask of an image; None if it has none."""
        return self._mask_files.get(img_id)

    def labels(self) -> WeakLabels:
        """Weak labels of all labelled images, under the user's names of the classes.

        Labels of other classes are left out with one warning that counts them.

        Raises:
            UserInputError: The labels cannot be read, belong to images that do not exist, or none
                has one of the classes.
        """
        return self._labels

    @cached_property
    def _labels(self) -> WeakLabels:
        found = read_labels(
            self.label_path,
            image_files=self.image_files,
            format=self.format,
            classes=tuple(self.names),
        )
        spellings = Counter(entry.name for own in found.objects.values() for entry in own)
        counts: Counter[str] = Counter()
        for name, count in spellings.items():
            counts[_composed(name)] += count
        self._check_names(counts)
        names = {name: self.names.get(_composed(name)) for name in spellings}
        objects = {i: list(_renamed(own, names)) for i, own in found.objects.items()}
        return found._replace(objects=objects)

    def _check_names(self, counts: Counter[str]) -> None:
        """Refuse likely misspellings; warn about other classes and classes without a label."""
        others = {name: n for name, n in counts.most_common() if name not in self.names}
        if others and len(others) == len(counts):
            raise UserInputError(
                f'{self.label_path} has none of the `classes` {", ".join(self.names)}; it has '
                f'{_shortened(list(others))}. Name the classes as in the labels, or rename them '
                "with classes=dict(<name in the labels>='<your name>')."
            )
        lacking = [name for name in self.names if name not in counts]
        for name in lacking:
            if near := nearest(name, others):
                raise UserInputError(
                    f'{self.label_path} has no label of the class {name}. Did you mean '
                    f'{near[0]!r}? Correct `classes`, or remove classes that no image shows.'
                )
        notes = []
        if others:
            listed = _shortened([f'{name} ({n})' for name, n in others.items()])
            notes.append(f'{sum(others.values())} labels of other classes are left out: {listed}.')
        if lacking:
            notes.append(f'no label is of the class {_shortened(lacking)}.')
        for note in notes:
            print_log(f'{self.label_path}: {note}', 'current', logging.WARNING)

    def split(self, split: Split) -> list[str]:
        """Ids of the training or validation images, in the order of their list.

        A warning counts images that are in both lists and, without a training list, unlabelled
        images.

        Raises:
            UserInputError: The list cannot be read, has an image twice or one that does not exist;
                there is no ``val``, or it leaves nothing to train on; or a validation image lacks
                its mask.
        """
        if split == 'val':
            if self.val is None:
                raise UserInputError(
                    'the data have no `val`, the list of images to validate on. Add it.'
                )
            ids = self._read_list(self.val)
            self._check_masks(ids)
            return ids
        held_out = set(self._read_list(self.val)) if self.val is not None else set()
        if self.train is not None:
            ids = self._read_list(self.train)
            _warn(held_out.intersection(ids), f'images of {self.train} are also in {self.val}')
            return ids
        labelled = self.labels().objects.keys()
        _warn(self.image_files.keys() - labelled - held_out, 'images without a label are left out')
        if not labelled - held_out:
            raise UserInputError(
                f'{self.val} lists all labelled images: none is left to train on. Remove some.'
            )
        return sorted(labelled - held_out)

    def _read_list(self, path: str) -> list[str]:
        """Find the images of a list by its first column; suffix and folder may be left out."""
        ids: list[str] = []
        lacking = []
        for line in list_lines(path):
            img_id = self._find(line, path)
            if img_id is None:
                lacking.append(line)
            else:
                ids.append(img_id)
        if lacking:
            raise UserInputError(
                f'{path} names {len(lacking)} images that are not in {self.images!r}: '
                f'{_shortened(lacking)}. Correct the list or the folder.'
            )
        twice, count = Counter(ids).most_common(1)[0]
        if count > 1:
            raise UserInputError(
                f'{path}: the image {twice!r} is listed {count} times. Remove the repeated lines.'
            )
        return ids

    def _find(self, line: str, path: str) -> str | None:
        if (img_id := _composed(line)) in self.image_files:
            return img_id
        # A name may contain blanks, so what looks like columns may be one name.
        columns = dict.fromkeys([first_column(line), line])
        found = (self._image_names.find(column, path) for column in columns)
        return next((img_id for img_id in found if img_id is not None), None)

    def _check_masks(self, ids: Sequence[str]) -> None:
        lacking = [img_id for img_id in ids if self.masks and self.true_mask(img_id) is None]
        if lacking:
            raise UserInputError(
                f'{self.masks} lacks the masks of {len(lacking)} of {len(ids)} images in '
                f'{self.val}: {_shortened(lacking)}. Add them, or remove the images from the list.'
            )


def _files_by_id(folder: str, key: str, suffixes: Iterable[str]) -> dict[str, str]:
    if not os.path.isdir(folder):
        raise UserInputError(f'`{key}` of the data: {folder!r} is not a folder. Correct it.')
    found: dict[str, str] = {}
    for name, path in files_below(Path(folder), suffixes).items():
        img_id = check_image_id(_composed(name[: name.rindex('.')]), folder)
        if img_id in found:
            raise UserInputError(
                f'{found[img_id]!r} and {path!r} have the same name without suffix, but labels and '
                'masks are found by that name. Rename or remove one of them.'
            )
        found[img_id] = path
    return found


def _renamed(
    objects: list[AnnotatedObject], names: Mapping[str, str | None]
) -> Iterator[AnnotatedObject]:
    """Yield the objects of the classes that the user named, under that name."""
    for entry in objects:
        own = names[entry.name]
        if own is not None:
            # Unchanged where possible: the tags of a class share one object in all images.
            yield entry if own == entry.name else entry._replace(name=own)


def _composed(name: str) -> str:
    """Normalise umlauts, which file systems and annotation tools encode in two ways."""
    return unicodedata.normalize('NFC', name)


def _warn(ids: Collection[str], note: str) -> None:
    if ids:
        print_log(f'{len(ids)} {note} (first: {min(ids)}).', 'current', logging.WARNING)


def _shortened(names: Sequence[str]) -> str:
    shown = ', '.join(f'{name:.80}' for name in names[:_SHOWN])
    return f'{shown}, ...' if len(names) > _SHOWN else shown
