"""Finds what a label report needs, in a description of data or in folders."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmwsss.datasets.description import DataDescription
from mmwsss.datasets.image_files import IMAGE_SUFFIXES
from mmwsss.datasets.label_formats.label_files import files_below
from mmwsss.datasets.palette import class_colors
from mmwsss.engine.label_report import LabelSet, ReportImage, ReportSource
from mmwsss.structures import UserInputError


def source_of_data(
    labels: LabelSet,
    others: Sequence[LabelSet],
    data: Mapping[str, Any],
    *,
    masks: Path | None = None,
) -> ReportSource:
    """Find images, tags and masks in a description of data.

    Args:
        labels: The label set that is judged.
        others: Other sets of the same images.
        data: Description of the data.
        masks: Folder of true masks to use instead of those of the data, with the same encoding.

    Raises:
        UserInputError: The description is wrong, a file is missing, or labels belong to images that
            do not exist.
    """
    description = DataDescription.from_dict(data)
    if masks is not None:
        description = replace(description, masks=str(masks))
    index = {name: i for i, name in enumerate(description.classes)}
    weak = description.labels().objects
    encoding = {}
    if description.mask_values is not None:
        encoding['mask_values'] = description.mask_values
    images = []
    for img_id in _labelled(labels, others, description.image_files, description.images):
        mask, objects = description.true_mask(img_id), weak.get(img_id)
        tags = None if objects is None else sorted({index[entry.name] for entry in objects})
        images.append(
            ReportImage(
                img_id,
                description.image_files[img_id],
                tags=None if tags is None else tuple(tags),
                mask={'seg_map_path': mask, **encoding} if mask else None,
            )
        )
    meta = description.metainfo
    return ReportSource(labels, tuple(others), meta['classes'], meta['palette'], tuple(images))


def source_of_folders(
    labels: LabelSet,
    others: Sequence[LabelSet],
    images: Path,
    *,
    classes: tuple[str, ...],
    masks: Path | None,
    encoding: Mapping[str, Any],
) -> ReportSource:
    """Find images and masks in folders; tags are unknown.

    Args:
        labels: The label set that is judged.
        others: Other sets of the same images.
        images: Folder of the images.
        classes: Names of all classes, background first.
        masks: Folder of true masks.
        encoding: How masks are encoded, for
            :func:`~mmwsss.datasets.true_masks.read_true_mask`.

    Raises:
        UserInputError: A folder is missing, or labels belong to images that do not exist.
    """
    files = _by_id(images, IMAGE_SUFFIXES, 'images')
    paths = {} if masks is None else _by_id(masks, ('.png',), 'masks')
    found = tuple(
        ReportImage(
            img_id,
            files[img_id],
            tags=None,
            mask={'seg_map_path': paths[img_id], **encoding} if img_id in paths else None,
        )
        for img_id in _labelled(labels, others, files, str(images))
    )
    if masks is not None and not any(image.mask for image in found):
        raise UserInputError(f'--masks: {masks} has no PNG of a labelled image.')
    return ReportSource(labels, tuple(others), classes, class_colors(len(classes)), found)


def _labelled(
    labels: LabelSet, others: Sequence[LabelSet], images: Mapping[str, str], folder: str
) -> list[str]:
    """List the images that all label sets have.

    Raises:
        UserInputError: Labels belong to images that do not exist, or no image has all labels.
    """
    sets = {one.folder: _by_id(Path(one.folder), ('.png',), 'labels') for one in (labels, *others)}
    own = sets[labels.folder]
    if foreign := [img_id for img_id in own if img_id not in images]:
        raise UserInputError(
            f'{labels.folder} has labels of images that are not in {folder}: {len(foreign)}, the '
            f'first is {foreign[0]!r}. Name the folder that has the images of these labels.'
        )
    common = [img_id for img_id in own if all(img_id in found for found in sets.values())]
    if not common:
        raise UserInputError(
            f'{labels.folder} has no label for an image that is labelled in all of {[*sets]}.'
        )
    for note, count in (
        ('labels without a counterpart in another set, left out', len(own) - len(common)),
        ('images without a label, left out', len(images) - len(own)),
    ):
        if count:
            print_log(f'{labels.folder}: {note}: {count}.', 'current', logging.WARNING)
    return common


def _by_id(folder: Path, suffixes: Sequence[str] | frozenset[str], what: str) -> dict[str, str]:
    if not folder.is_dir():
        raise UserInputError(f'{folder} is not a folder; expected the folder of the {what}.')
    files = files_below(folder, suffixes)
    if not files:
        raise UserInputError(f'{folder} contains no {what} ({", ".join(sorted(suffixes))}).')
    return {name[: name.rindex('.')]: path for name, path in files.items()}
