"""Compares folders of label maps with true masks and with each other.

Legend: K foreground classes, H x W pixels. Label files are ``<folder>/<image id>.png``.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmseg.evaluation import IoUMetric
from prettytable import PrettyTable

from mmwsss.datasets.image_files import read_label_map
from mmwsss.datasets.true_masks import read_true_mask
from mmwsss.structures import BACKGROUND, IGNORE_INDEX, UserInputError

# Returns the sum of a function's arrays over all items.
SumOver = Callable[[Callable[[str], np.ndarray], Sequence[str]], np.ndarray]
# The part of a data list entry that :func:`read_true_mask` needs.
Mask = Mapping[str, Any]
_MASK_KEYS = ('seg_map_path', 'num_classes', 'mask_values', 'label_map', 'reduce_zero_label')
_VALUES = 256  # of a uint8
# Ranges of pixels that a class covers in an image, after COCO's object areas.
_SIZES = {'small': (0, 32**2), 'medium': (32**2, 96**2), 'large': (96**2, np.inf)}


@dataclass(frozen=True)
class LabelQuality:
    """How well a folder of labels matches the true masks; all figures in percent.

    Attributes:
        split: What was evaluated.
        num_images: Number of images.
        classes: Names of all classes, background first.
        iou: IoU of every class, NaN if it is in neither labels nor masks, (1+K,).
        precision: Precision of every class, (1+K,).
        recall: Recall of every class, (1+K,).
        class_size_iou: IoU of every class, (1+K,), by the number of pixels it covers in an image.
    """

    split: str
    num_images: int
    classes: tuple[str, ...]
    iou: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    class_size_iou: dict[str, np.ndarray]

    @property
    def size_iou(self) -> dict[str, float]:
        """Mean foreground IoU by the number of pixels that a class covers in an image."""
        means = {n: torch.as_tensor(v[1:]).nanmean() for n, v in self.class_size_iou.items()}
        return {name: float(mean) for name, mean in means.items()}

    @property
    def metrics(self) -> dict[str, float]:
        """The means as plain numbers, ready for JSON; sizes without pixels are left out."""
        figures = {'mIoU': self.iou, 'precision': self.precision, 'recall': self.recall}
        means = {name: torch.as_tensor(values).nanmean().item() for name, values in figures.items()}
        means.update({f'mIoU_{name}': value for name, value in self.size_iou.items()})
        return {name: round(v, 2) for name, v in means.items() if not np.isnan(v)}

    def __str__(self) -> str:
        table = PrettyTable(['class', 'IoU', 'precision', 'recall'])
        rows = zip(self.classes, self.iou, self.precision, self.recall, strict=True)
        for name, *values in rows:
            table.add_row([name, *(f'{value:.2f}' for value in values)])
        summary = ', '.join(f'{name} {value:.2f}' for name, value in self.metrics.items())
        return (
            f'{table}\n{summary}\n'
            f'{self.split or "unnamed split"}, {self.num_images} images. Pixels whose true label '
            f'is {IGNORE_INDEX} are left out; pixels that a label leaves at {IGNORE_INDEX} count '
            'as missed. Sizes are the pixels of a class in an image: small <= 32x32 < medium <= '
            '96x96 < large.'
        )


@dataclass(frozen=True)
class LabelAgreement:
    """Agreement of two folders of labels.

    Attributes:
        num_images: Number of images.
        share: Percentage of equal pixels within the compared region.
        region: Description of that region.
    """

    num_images: int
    share: float
    region: str

    def __str__(self) -> str:
        return f'{self.share:.2f} % of the pixels {self.region} agree ({self.num_images} images)'


def masks_of_dataset(dataset: BaseDataset) -> dict[str, Mask]:
    """List the images of an mmseg data set that have a true mask, by image id.

    Raises:
        UserInputError: The data set has no masks.
    """
    infos = (dataset.get_data_info(index) for index in range(len(dataset)))
    masks = masks_of_entries(infos)
    if not masks:
        raise UserInputError(
            f'{type(dataset).__name__} lists no true masks. Set data_prefix.seg_map_path.'
        )
    return masks


def masks_of_entries(entries: Iterable[Mapping[str, Any]]) -> dict[str, Mask]:
    """Pick the entries of a data list with a true mask, reduced to the keys for reading it."""
    return {
        entry.get('img_id', Path(entry['img_path']).stem): {
            key: entry[key] for key in _MASK_KEYS if key in entry
        }
        for entry in entries
        if 'seg_map_path' in entry
    }


def pixel_pairs(label: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Count the pixels of every pair of values, except those whose true value is 255.

    Args:
        label: Label map, uint8 (H, W).
        mask: True mask, uint8 (H, W).

    Returns:
        int64 (256, 256), one row per value in the label map, one column per true value.
    """
    pairs = label.astype(np.intp) * _VALUES + mask
    counts = np.bincount(pairs.ravel(), minlength=_VALUES**2).reshape(_VALUES, _VALUES)
    counts[:, IGNORE_INDEX] = 0
    return counts


def count_pixels(label: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the pixels of every class in a label map and its mask; see :func:`count_pairs`."""
    return count_pairs(pixel_pairs(label, mask), num_classes)


def count_pairs(pairs: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the pixels of every class in a label map and its true mask.

    Pixels whose true value is 255 are left out; pixels that a label leaves at 255 count as missed.

    Args:
        pairs: Result of :func:`pixel_pairs`.
        num_classes: Number 1+K of classes with background.

    Returns:
        Rows intersection, union, labelled and true, then intersection and union for each range of
        sizes, only of the classes whose number of true pixels in this image is in that range;
        int64 (4 + 2 * 3, 1+K).
    """
    labelled = pairs.sum(axis=1)[:num_classes]
    true = pairs.sum(axis=0)[:num_classes]
    intersection = pairs.diagonal()[:num_classes]
    rows = [intersection, labelled + true - intersection, labelled, true]
    for low, high in _SIZES.values():
        in_range = (true > low) & (true <= high)
        rows += [rows[0] * in_range, rows[1] * in_range]
    return np.stack(rows)


def _sum_here(function: Callable[[str], np.ndarray], items: Sequence[str]) -> np.ndarray:
    return np.asarray(sum(map(function, items)))


def evaluate_label_folder(
    label_dir: str | os.PathLike,
    masks: Mapping[str, Mask],
    *,
    classes: Sequence[str],
    split: str = '',
    second_label_dir: str | os.PathLike | None = None,
    sum_over: SumOver = _sum_here,
) -> LabelQuality:
    """Evaluate label files against true masks.

    Args:
        label_dir: Folder of ``<image id>.png``.
        masks: Path and encoding of the true mask of every image id, as entries of a data list for
            :func:`~mmwsss.datasets.true_masks.read_true_mask`.
        classes: Names of all classes, background first.
        split: Name of the evaluated split, for the report.
        second_label_dir: Evaluate only the pixels where the labels in this folder agree.
        sum_over: Sums the counts of all images; by default in this process. Several processes share
            the images with :func:`mmwsss.engine.ranks.sum_over_ranks`.

    Raises:
        UserInputError: A file is missing, damaged, does not have the size of its mask, or has a
            value that is not a class.

    Source: the counts and figures are those of mmseg's ``IoUMetric``.
    """
    if not masks:
        raise UserInputError(
            'there is no image to evaluate: the list of masks is empty. Check the folder of masks.'
        )
    _check_files([label_dir, second_label_dir], masks)

    num_classes = len(classes) - 1

    def counts_of(img_id: str) -> np.ndarray:
        path = label_file(label_dir, img_id)
        label, entry = read_label_map(path, num_classes=num_classes), masks[img_id]
        mask = read_true_mask({'num_classes': num_classes, **entry})
        _check_sizes((path, label), (entry['seg_map_path'], mask))
        if second_label_dir is not None:
            path = label_file(second_label_dir, img_id)
            second = read_label_map(path, num_classes=num_classes)
            _check_sizes((path, second), (entry['seg_map_path'], mask))
            mask = np.where(label == second, mask, IGNORE_INDEX)
        return count_pixels(label, mask, len(classes))

    counts = sum_over(counts_of, list(masks))
    return label_quality(counts, classes=classes, split=split, num_images=len(masks))


def label_agreement(
    first_dir: str | os.PathLike,
    second_dir: str | os.PathLike,
    img_ids: Sequence[str],
    *,
    boxes: Mapping[str, np.ndarray] | None = None,
) -> LabelAgreement:
    """Measure how often two folders of labels agree where agreement is not trivial.

    Args:
        first_dir: Folder of ``<image id>.png``.
        second_dir: Another one.
        img_ids: The images.
        boxes: Boxes xyxy in pixels of every image, (m, 4): compare inside them. Without boxes,
            compare where at least one of the two maps is not background.

    Raises:
        UserInputError: A file is missing or damaged, or differs in size from its counterpart.
    """
    _check_files([first_dir, second_dir], img_ids)
    equal = total = 0
    for img_id in img_ids:
        paths = label_file(first_dir, img_id), label_file(second_dir, img_id)
        first, second = map(read_label_map, paths)
        _check_sizes((paths[0], first), (paths[1], second))
        region = (first != BACKGROUND) | (second != BACKGROUND)
        if boxes is not None:
            region = _inside(boxes[img_id], first.shape)
        equal += np.count_nonzero((first == second) & region)
        total += np.count_nonzero(region)
    return LabelAgreement(
        num_images=len(img_ids),
        share=100 * equal / total if total else float('nan'),
        region='inside boxes' if boxes is not None else 'that either map labels as an object',
    )


def label_file(folder: str | os.PathLike, img_id: str) -> Path:
    """Path of an image's label."""
    return Path(folder) / f'{img_id}.png'


def _check_files(folders: Sequence[str | os.PathLike | None], img_ids: Collection[str]) -> None:
    for folder in [folder for folder in folders if folder]:
        paths = [label_file(folder, img_id) for img_id in img_ids]
        # Listed, because querying a network file system for 100 000 files one by one takes minutes.
        parents = {path.parent for path in paths}
        there = {entry for parent in parents if parent.is_dir() for entry in parent.iterdir()}
        missing = [path.relative_to(folder) for path in paths if path not in there]
        if missing:
            raise UserInputError(
                f'{folder} lacks the labels of {len(missing)} of {len(img_ids)} images, the first '
                f'is {missing[0]}. Finish making them, or evaluate the split that they were made '
                'for.'
            )


def _check_sizes(*maps: tuple[str | Path, np.ndarray]) -> None:
    (first, one), (second, other) = maps
    if one.shape != other.shape:
        sizes = ' and '.join(f'{label.shape[0]}x{label.shape[1]}' for label in (one, other))
        raise UserInputError(
            f'{first} and {second} have the sizes {sizes} (height x width). Labels must have the '
            'original size of their image.'
        )


def _inside(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    inside = np.zeros(shape, dtype=bool)
    for x1, y1, x2, y2 in np.asarray(boxes).astype(int).clip(0):
        inside[y1:y2, x1:x2] = True
    return inside


def label_quality(
    counts: np.ndarray, *, classes: Sequence[str], split: str = '', num_images: int
) -> LabelQuality:
    """Turn the sum of the counts of all images into figures.

    Args:
        counts: Sum of the results of :func:`count_pairs`, (4 + 2 * 3, 1+K).
        classes: Names of all classes, background first.
        split: Name of the counted split, for the report.
        num_images: Number of images that were counted.
    """
    # Double precision, because mmseg's single precision is inexact above 2**24 pixels.
    totals = torch.from_numpy(counts).double()
    figures = IoUMetric.total_area_to_metrics(*totals[:4], metrics=['mIoU', 'mFscore'])
    sizes = zip(_SIZES, totals[4::2], totals[5::2], strict=True)
    class_size_iou = {name: (100 * i / u).numpy() for name, i, u in sizes}
    return LabelQuality(
        split=split,
        num_images=num_images,
        classes=tuple(classes),
        iou=100 * figures['IoU'],
        precision=100 * figures['Precision'],
        recall=100 * figures['Recall'],
        class_size_iou=class_size_iou,
    )
