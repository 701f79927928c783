"""The one place that converts between class indices and label-map values.

Foreground classes are numbered 0..K-1. In a label map 0 is background, ``c + 1`` is class ``c`` and
255 is ignored.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.structures.errors import UserInputError

BACKGROUND = 0
IGNORE_INDEX = 255
_MOST_FOREGROUND = IGNORE_INDEX - 1  # values 1..254 of a label map

_Labels = TypeVar('_Labels', int, Tensor, np.ndarray)


def check_class_count(classes: Sequence[str]) -> None:
    """Refuse more classes than the 8 bits of a label map can hold next to the ignored value.

    Args:
        classes: Names of all classes, background first.

    Raises:
        UserInputError: There are more than 254 foreground classes.
    """
    if len(classes) - 1 > _MOST_FOREGROUND:
        raise UserInputError(
            f'the data set has {len(classes) - 1} foreground classes, but label maps hold at most '
            f'{_MOST_FOREGROUND} ({IGNORE_INDEX} means ignored). Merge some classes or leave some '
            'out of `metainfo.classes` of the data set.'
        )


def to_seg_label(class_index: _Labels) -> _Labels:
    """Turn class indices 0..K-1 into label-map values 1..K."""
    return class_index + 1


def to_class_index(seg_label: _Labels) -> _Labels:
    """Turn label-map values 1..K into class indices 0..K-1 (background becomes -1)."""
    return seg_label - 1


def multi_hot(classes: Tensor, num_classes: int) -> Tensor:
    """Turn indices of present classes (n,) into a multi-hot score (K,) of 0 and 1."""
    score = torch.zeros(num_classes, device=classes.device)
    score[classes] = 1.0
    return score


def image_indices(labels: Sequence[Tensor]) -> Tensor:
    """Image index of every label in a batch, int64 (sum n_b,), on the CPU.

    Args:
        labels: Present classes of each image, B tensors (n_b,); only their lengths are read.
    """
    # Not `repeat_interleave`, because a compiler cannot tell how long its result is.
    return torch.cat([torch.full((len(label),), i) for i, label in enumerate(labels)])


def image_tags(data_samples: list[SegDataSample]) -> Tensor:
    """Stack the samples' ``gt_score`` into the multi-hot tags of a batch, (B, K).

    Raises:
        ValueError: A data sample has no ``gt_score``.
    """
    if not all('gt_score' in sample for sample in data_samples):
        raise ValueError(
            'Expected every data sample to have `gt_score`, its tags, but one has none. Use a data '
            "set with supervision='tag' or 'box', and PackWeakInputs in its pipeline."
        )
    return torch.stack([sample.gt_score for sample in data_samples])


def seg_map_from_scores(scores: Tensor, classes: Tensor) -> Tensor:
    """Label every pixel with the best of background and the present classes.

    Args:
        scores: Background first, then one row per present class, (1+n, H, W).
        classes: Class index of each row after the first, (n,).

    Returns:
        Label map, uint8 (H, W). Ties go to the earlier row, so background wins them.
    """
    background = torch.full((1,), BACKGROUND, device=scores.device)  # no copy to the device
    row_labels = torch.cat([background, to_seg_label(classes.to(scores.device))])  # (1+n,)
    # argmax takes eight times as long on a CPU; both return the first of equal values.
    return row_labels[scores.max(dim=0).indices].to(torch.uint8)
