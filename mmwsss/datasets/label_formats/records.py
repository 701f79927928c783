"""Input and output of every reader of labels."""

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
    empty list means that the image holds no object; a missing image has no label. ``has_boxes``
    says whether the source has boxes, in which case only crowds lack one.
    """

    objects: dict[str, list[AnnotatedObject]]
    has_boxes: bool


class LabelSource(NamedTuple):
    """Input of a reader.

    ``classes`` are the expected class names, in the order that indices refer to; other names may
    occur. ``notes`` collects what was changed or left out.
    """

    path: Path
    images: 'ImageNames'
    classes: tuple[str, ...]
    notes: Notes


def tags_of(names: Iterable[str]) -> list[AnnotatedObject]:
    """Return one tag per class, in order of first occurrence."""
    return [_tag(name) for name in dict.fromkeys(names)]


@cache  # all tags of a class, perhaps a million, share one object
def _tag(name: str) -> AnnotatedObject:
    return AnnotatedObject(name, None, False)


class ImageNames:
    """Finds the image that an annotation names.

    A name may have a suffix and folders. It matches an image if one of the two paths, without
    suffixes, ends with the other at a folder boundary. So ``images/cat/1.jpg``, ``cat/1`` and
    ``1.jpg`` all match the image ``cat/1``, as long as no other image matches as well. Names are
    only compared, never opened.

    Args:
        files: Paths of all images by id.
    """

    def __init__(self, files: Mapping[str, str | Path]) -> None:
        self.files = files
        # File systems and annotation tools encode the same umlaut in two ways.
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
            source: Where they come from, for messages.
            repeated: Whether different names may match the same image.

        Raises:
            UserInputError: A name is not a path below a folder, matches several images or none, or
                matches the same image as another name.
        """
        found = {name: self.find(name, source) for name in names}
        if lacking := [name for name, img_id in found.items() if img_id is None]:
            raise UserInputError(
                f'{source}: there is no image for {len(lacking)} of its {len(found)} labels: '
                f'{_enumerate(lacking)}. Add the images, remove these labels, or check the image '
                'folder.'
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
        """Find the image id of a name; None if there is no such image.

        Raises:
            UserInputError: The name is not a path below a folder, or matches several images.
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
        # If the name ends with several of them, the longest is the most specific.
        within = [img_id for img_id in fitting if len(img_id) < len(stem)]
        if within:
            fitting = [max(within, key=len)]
        if len(fitting) > 1:
            raise UserInputError(
                f'{source}: {name!r:.80} may be any of {len(fitting)} images: '
                f'{_enumerate(fitting)}. Give the path below the image folder.'
            )
        return self._ids[fitting[0]] if fitting else None


def has_image_suffix(name: str) -> bool:
    """Whether a name ends with an image suffix."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _enumerate(names: Sequence[str]) -> str:
    shown = ', '.join(f'{name!r:.80}' for name in names[:_SHOWN])
    return f'{shown}, ...' if len(names) > _SHOWN else shown
