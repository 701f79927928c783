"""Estimates the disk space of kept scores before hours are spent on them."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset

from mmwsss.datasets.image_files import read_image_size
from mmwsss.structures import UserInputError

_SAMPLE = 32
# Compressed bytes per score, measured on VOC, for maps at full size and for means of cells.
_FULL, _REDUCED = 0.8, 1.3
# Results of a CRF are mostly 0 or 1 and take a fifth of that.
_LEAST = 0.2


@dataclass(frozen=True)
class Forecast:
    """Space that scores will take, and space that is available.

    Attributes:
        folder: Where scores are written.
        images: Number of images whose scores are written.
        sampled: Number of images whose sizes were read.
        needed: Bytes of scores.
        free: Bytes that are free.
    """

    folder: Path
    images: int
    sampled: int
    needed: float
    free: int

    def __str__(self) -> str:
        """Describe the forecast in one line."""
        return (
            f'will keep up to about {_size(self.needed)} of scores (images: {self.images}, '
            f'estimated from the sizes of {self.sampled}), with {_size(self.free)} free in '
            f'{self.folder}'
        )

    @property
    def is_tight(self) -> bool:
        """Whether the scores might not fit."""
        return self.needed > self.free

    def check(self) -> None:
        """Refuse to begin if the scores cannot fit.

        Raises:
            UserInputError: Even well compressed scores need more space than is free.
        """
        if self.needed * _LEAST > self.free:
            raise UserInputError(
                f'{self}. Free some space, name another folder, or set `keep_scores` of test_cfg '
                'to fewer labels or to cells, as in dict(seed=4).'
            )


def forecast_scores(
    dataset: BaseDataset, strides: Mapping[str, int], folder: Path
) -> Forecast | None:
    """Estimate the space of the scores of a data set from the sizes of a few images.

    Args:
        dataset: The images to label.
        strides: Pixels per cell of the scores to keep, by label name.
        folder: Where scores are written; it need not exist.

    Returns:
        The forecast, or None if no scores are kept.
    """
    if not strides or not len(dataset):
        return None
    picked = np.unique(np.linspace(0, len(dataset) - 1, _SAMPLE).astype(int))
    infos = [dataset.get_data_info(int(i)) for i in picked]
    num_classes = len(dataset.metainfo['classes']) - 1
    per_image = np.mean([_bytes_of(info, strides, num_classes) for info in infos])
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return Forecast(
        folder,
        len(dataset),
        len(picked),
        float(per_image) * len(dataset),
        shutil.disk_usage(existing).free,
    )


def _bytes_of(info: dict, strides: Mapping[str, int], num_classes: int) -> float:
    height, width = read_image_size(info['img_path'])
    rows = 1 + _num_present(info, num_classes)
    return sum(
        rows * -(-height // stride) * -(-width // stride) * (_FULL if stride == 1 else _REDUCED)
        for stride in strides.values()
    )


def _num_present(info: dict, num_classes: int) -> int:
    """Number of classes with a map: those of the weak label, or all without a label."""
    if 'instances' in info:
        return len({instance['bbox_label'] for instance in info['instances']})
    return len(info['gt_label']) if 'gt_label' in info else num_classes


def _size(count: float) -> str:
    return f'{count / 1e9:.1f} GB' if count >= 1e8 else f'{count / 1e6:.1f} MB'
