"""The subject of a report: label sets, images, and what is known about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmwsss.datasets.image_files import read_label_map
from mmwsss.datasets.true_masks import read_true_mask
from mmwsss.evaluation.label_folder import label_file
from mmwsss.structures import UserInputError


class LabelSet(NamedTuple):
    """A folder of label maps and the name that the report gives it."""

    name: str
    folder: str


class ReportImage(NamedTuple):
    """An image of the report.

    Attributes:
        img_id: Id of the image, which names its label maps.
        path: Its file.
        tags: Indices of its foreground classes, or None if they are unknown.
        mask: Entry of its true mask for :func:`~mmwsss.datasets.true_masks.read_true_mask`.
    """

    img_id: str
    path: str
    tags: tuple[int, ...] | None
    mask: Mapping[str, Any] | None


@dataclass(frozen=True)
class ReportSource:
    """What a report is about.

    Attributes:
        labels: The label set that is judged.
        others: Other sets of the same images, such as earlier stages, in order. The labels are
            compared with the last one.
        classes: Names of all classes, background first.
        palette: RGB colour of every class.
        images: All images.
    """

    labels: LabelSet
    others: tuple[LabelSet, ...]
    classes: tuple[str, ...]
    palette: Sequence[Sequence[int]]
    images: tuple[ReportImage, ...]

    @property
    def num_classes(self) -> int:
        """Number K of foreground classes."""
        return len(self.classes) - 1

    @property
    def has_masks(self) -> bool:
        """Whether any image has a true mask."""
        return any(image.mask is not None for image in self.images)


def image_of_entry(entry: Mapping[str, Any]) -> ReportImage:
    """Turn an entry of a data list into an image of the report."""
    tags = entry.get('gt_label')
    if 'instances' in entry:
        tags = sorted({one['bbox_label'] for one in entry['instances']})
    mask = {key: value for key, value in entry.items() if key not in ('instances', 'img_path')}
    return ReportImage(
        img_id=entry.get('img_id', Path(entry['img_path']).stem),
        path=entry['img_path'],
        tags=None if tags is None else tuple(tags),
        mask=mask if 'seg_map_path' in entry else None,
    )


def read_labels_of(
    source: ReportSource, image: ReportImage, shape: tuple[int, ...]
) -> list[np.ndarray]:
    """Read the label maps of an image, first from the other sets, then from the judged one.

    Raises:
        UserInputError: A label map is missing or damaged, or does not match the image in size or
            the classes.
    """
    return [_read(labels, source, image, shape) for labels in (*source.others, source.labels)]


def read_mask_of(
    source: ReportSource, image: ReportImage, shape: tuple[int, ...]
) -> np.ndarray | None:
    """Read the true mask of an image, if it has one.

    Raises:
        UserInputError: As :func:`~mmwsss.datasets.true_masks.read_true_mask`.
    """
    if image.mask is None:
        return None
    return read_true_mask({'num_classes': source.num_classes, **image.mask}, image_shape=shape)


def _read(
    labels: LabelSet, source: ReportSource, image: ReportImage, shape: tuple[int, ...]
) -> np.ndarray:
    path = label_file(labels.folder, image.img_id)
    label = read_label_map(path, num_classes=source.num_classes)
    if label.shape != shape:
        raise UserInputError(
            f'{path} is {label.shape[0]}x{label.shape[1]}, but its image {image.path} is '
            f'{shape[0]}x{shape[1]} (height x width). Labels must have the size of their image.'
        )
    return label
