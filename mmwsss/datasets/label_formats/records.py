"""What every reader of labels takes and gives."""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from mmwsss.datasets.annotations import AnnotatedObject, check_image_id
from mmwsss.datasets.image_files import IMAGE_SUFFIXES
from mmwsss.datasets.weak_labels import Notes
from mmwsss.structures import UserInputError

_SHOWN = 5


class WeakLabels(NamedTuple):
    """The labels of all labelled images.

    ``objects`` maps an image id to its objects in file order; a tag is an object without a box. An
    empty list says that an image holds no object; an image that is not there has no label.
    ``has_boxes`` says whether the source has boxes: then only a crowd is without one.
    """

    objects: dict[str, list[AnnotatedObject]]
    has_boxes: bool


class LabelSource(NamedTuple):
    """What a reader is given.

    ``classes`` are the class names that are expected, in the order to which indices refer; other
    names may occur. ``notes`` collects what was changed or left out.
    """

    path: Path
    images: 'ImageNames'
    classes: tuple[str, ...]
    notes: Notes


def tags_of(names: Iterable[str]) -> list[AnnotatedObject]:
    """Give one tag for each class, in the order of its first occurrence."""
    return [_tag(name) for name in dict.fromkeys(names)]


@cache  # one object stands for all tags of a class, of which there may be a million
def _tag(name: str) -> AnnotatedObject:
    return AnnotatedObject(name, None, False)


class ImageNames:
    """Finds the image that an annotation names.

    A name may have a suffix and folders: it means an image if one of the two paths, without
    suffixes, ends with the other at whole folder names. So ``images/cat/1.jpg``, ``cat/1`` and
    ``1.jpg`` all mean the image ``cat/1``, as long as no other image fits as well. A name is only
    compared, never opened.

    Args:
        files: Paths of all images by id.
    """

    def __init__(self, files: Mapping[str, str | Path]) -> None:
        self.files = files
        # File systems and annotation tools spell the same umlaut in two ways.
        self._ids = {unicodedata.normalize('NFC', img_id): img_id for img_id in files}

    @cached_property
    def _by_file_name(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for name in self._ids:
            found[name.rpartition('/')[2]].append(name)
        return found

    def match(
        self, names: Iterable[str], source: str | Path, *, repeated: bool = False
    ) -> dict[str, str]:
        """Find the image id of every name.

        Args:
            names: Names of images.
            source: Where they stand, for messages.
            repeated: Whether different names may mean the same image.

        Raises:
            UserInputError: A name is not a path below a folder, means several images or none, or
                the same as another one.
        """
        found = {name: self.find(name, source) for name in names}
        if lacking := [name for name, img_id in found.items() if img_id is None]:
            raise UserInputError(
                f'{source}: there is no image for {len(lacking)} of its {len(found)} labels: '
                f'{_enumerate(lacking)}. Add the images, remove these labels, or check the folder '
                'of images.'
            )
        ids = {name: img_id for name, img_id in found.items() if img_id is not None}
        if not repeated and len(set(ids.values())) < len(ids):
            twice = Counter(ids.values()).most_common(1)[0][0]
            same = [name for name, img_id in ids.items() if img_id == twice]
            raise UserInputError(
                f'{source}: {_enumerate(same)} are labels of the same image. Join them.'
            )
        return ids

    def find(self, name: str, source: str | Path) -> str | None:
        """Find the image id of a name, None if there is no such image.

        Raises:
            UserInputError: The name is not a path below a folder, or means several images.
        """
        name = unicodedata.normalize('NFC', name)
        if name in self._ids:
            return self._ids[name]
        path = name.replace('\\', '/').lstrip('/').removeprefix('./')
        stem = path.rpartition('.')[0] if has_image_suffix(path) else path
        check_image_id(stem, source)
        if stem in self._ids:
            return self._ids[stem]
        fitting = [
            img_id
            for img_id in self._by_file_name.get(stem.rpartition('/')[2], ())
            if f'/{img_id}'.endswith(f'/{stem}') or f'/{stem}'.endswith(f'/{img_id}')
        ]
        # Of several that the name ends with, the longest says most.
        within = [img_id for img_id in fitting if len(img_id) < len(stem)]
        if within:
            fitting = [max(within, key=len)]
        if len(fitting) > 1:
            raise UserInputError(
                f'{source}: {name!r:.80} may be any of {len(fitting)} images: '
                f'{_enumerate(fitting)}. Give the path below the folder of images.'
            )
        return self._ids[fitting[0]] if fitting else None


def has_image_suffix(name: str) -> bool:
    """Whether a name ends with the suffix of an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _enumerate(names: Sequence[str]) -> str:
    shown = ', '.join(f'{name!r:.80}' for name in names[:_SHOWN])
    return f'{shown}, ...' if len(names) > _SHOWN else shown
