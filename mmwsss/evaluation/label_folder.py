"""Compares folders of label maps with true masks and with each other.

Legend: K foreground classes, H x W pixels. Label files are ``<folder>/<image id>.png``.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmseg.evaluation import IoUMetric
from prettytable import PrettyTable

from mmwsss.datasets.transforms.loading import read_label_map
from mmwsss.structures import BACKGROUND, IGNORE_INDEX, UserInputError

# Pixels that a class covers in an image, after COCO's object areas.
_SIZES = {'small': (0, 32**2), 'medium': (32**2, 96**2), 'large': (96**2, np.inf)}


@dataclass(frozen=True)
class LabelQuality:
    """How well a folder of labels matches the true masks; all figures in percent.

    Attributes:
        split: What was evaluated.
        num_images: Number of images.
        classes: Names of all classes, background first.
        iou: IoU of every class, NaN where it is in neither labels nor masks, (1+K,).
        precision: Precision of every class, (1+K,).
        recall: Recall of every class, (1+K,).
        size_iou: Mean foreground IoU by the pixels that a class covers in an image.
    """

    split: str
    num_images: int
    classes: tuple[str, ...]
    iou: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    size_iou: dict[str, float]

    @property
    def metrics(self) -> dict[str, float]:
        """The means as plain numbers, ready for JSON; classes and sizes without pixels left out."""
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
            'as missed. Sizes: pixels of a class in an image, small <= 32x32 < medium <= 96x96 < '
            'large.'
        )


@dataclass(frozen=True)
class LabelAgreement:
    """How two folders of labels agree.

    Attributes:
        num_images: Number of images.
        share: Percentage of equal pixels within the compared region.
        region: What that region was.
    """

    num_images: int
    share: float
    region: str

    def __str__(self) -> str:
        return f'{self.share:.2f} % of the pixels {self.region} agree ({self.num_images} images)'


def masks_of_dataset(dataset: BaseDataset) -> dict[str, str]:
    """List the true masks of an mmseg data set as ``{image id: path}``.

    Raises:
        UserInputError: The data set has no masks.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    if not infos or 'seg_map_path' not in infos[0]:
        raise UserInputError(
            f'{type(dataset).__name__} lists no true masks: set data_prefix.seg_map_path.'
        )
    return {info.get('img_id', Path(info['img_path']).stem): info['seg_map_path'] for info in infos}


def evaluate_label_folder(
    label_dir: str | os.PathLike,
    masks: Mapping[str, str | os.PathLike],
    *,
    classes: Sequence[str],
    split: str = '',
    second_label_dir: str | os.PathLike | None = None,
) -> LabelQuality:
    """Evaluate label files against true masks; it only reads, so several processes may call it.

    Args:
        label_dir: Folder of ``<image id>.png``.
        masks: True mask of every image id.
        classes: Names of all classes, background first.
        split: What is evaluated, for the report.
        second_label_dir: Evaluate only the pixels where the labels of this folder say the same.

    Raises:
        UserInputError: A file is missing, damaged or of another size than its mask.

    Source: the counts and figures are those of mmseg's ``IoUMetric``.
    """
    if not masks:
        raise UserInputError('there is no image to evaluate: the list of masks is empty.')
    _check_files([label_dir, second_label_dir], masks)
    # Single precision, mmseg's own, loses counts above 2**24 pixels.
    totals = torch.zeros(4, len(classes), dtype=torch.float64)
    sizes = {name: torch.zeros(2, len(classes), dtype=torch.float64) for name in _SIZES}
    for img_id, mask_path in masks.items():
        label, mask = _read_pair(label_file(label_dir, img_id), mask_path)
        if second_label_dir is not None:
            second, _ = _read_pair(label_file(second_label_dir, img_id), mask_path)
            mask = np.where(label == second, mask, IGNORE_INDEX)
        areas = torch.stack(
            IoUMetric.intersect_and_union(
                torch.from_numpy(label.copy()),
                torch.from_numpy(mask.copy()),
                len(classes),
                IGNORE_INDEX,
            )
        ).double()  # intersection, union, labelled, true: (4, 1+K)
        totals += areas
        for name, (low, high) in _SIZES.items():
            sizes[name] += areas[:2] * ((areas[3] > low) & (areas[3] <= high))
    return _quality(totals, sizes, classes=tuple(classes), split=split, num_images=len(masks))


def label_agreement(
    first_dir: str | os.PathLike,
    second_dir: str | os.PathLike,
    img_ids: Sequence[str],
    *,
    boxes: Mapping[str, np.ndarray] | None = None,
) -> LabelAgreement:
    """Measure how often two folders of labels say the same where it is not trivial.

    Args:
        first_dir: Folder of ``<image id>.png``.
        second_dir: Another one.
        img_ids: The images.
        boxes: Boxes xyxy in pixels of every image, (m, 4): compare inside them. Without boxes,
            compare where at least one of the two maps is not background.

    Raises:
        UserInputError: A file is missing, damaged or of another size than its counterpart.
    """
    _check_files([first_dir, second_dir], img_ids)
    equal = total = 0
    for img_id in img_ids:
        first, second = _read_pair(label_file(first_dir, img_id), label_file(second_dir, img_id))
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


def _check_files(folders: Sequence[str | os.PathLike | None], img_ids: Sequence[str]) -> None:
    for folder in filter(None, folders):
        missing = [img_id for img_id in img_ids if not label_file(folder, img_id).is_file()]
        if missing:
            raise UserInputError(
                f'{folder} lacks the labels of {len(missing)} of {len(img_ids)} images, the first '
                f'is {missing[0]}.png. Finish their generation, or evaluate the split that they '
                'were made for.'
            )


def _read_pair(
    first: str | os.PathLike, second: str | os.PathLike
) -> tuple[np.ndarray, np.ndarray]:
    pair = read_label_map(first), read_label_map(second)
    if pair[0].shape != pair[1].shape:
        sizes = ' and '.join(f'{shape[0]}x{shape[1]}' for shape in (pair[0].shape, pair[1].shape))
        raise UserInputError(
            f'{first} and {second} have sizes {sizes} (height x width). Labels must have the '
            'original size of their image.'
        )
    return pair


def _inside(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    inside = np.zeros(shape, dtype=bool)
    for x1, y1, x2, y2 in np.asarray(boxes).astype(int).clip(0):
        inside[y1:y2, x1:x2] = True
    return inside


def _quality(
    totals: torch.Tensor,
    sizes: dict[str, torch.Tensor],
    *,
    classes: tuple[str, ...],
    split: str,
    num_images: int,
) -> LabelQuality:
    figures = IoUMetric.total_area_to_metrics(*totals, metrics=['mIoU', 'mFscore'])
    size_iou = {name: float(100 * (i / u)[1:].nanmean()) for name, (i, u) in sizes.items()}
    return LabelQuality(
        split=split,
        num_images=num_images,
        classes=classes,
        iou=100 * figures['IoU'],
        precision=100 * figures['Precision'],
        recall=100 * figures['Recall'],
        size_iou=size_iou,
    )
