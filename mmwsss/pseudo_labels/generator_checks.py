"""Checks the config, the input and the results of a generator of pseudo labels."""

from collections.abc import Sequence

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.structures import BACKGROUND, IGNORE_INDEX, LabelPart, UserInputError, check_name

_ENTRY_KEYS = {'start', 'background', 'refiners', 'labeler'}
_CAM_FIELDS = ('cams', 'cam_label')


def check_entry(name: str, entry: dict, *, made: list[str], names: list[str]) -> None:
    """Refuse an entry of ``labels`` that cannot be made or adds nothing new.

    Args:
        name: Name of the label.
        entry: Its config.
        made: Names of the labels before it.
        names: Names of all labels.

    Raises:
        ValueError: Saying what the entry lacks.
    """
    check_name('a label of `labels`', name)
    if not isinstance(entry, dict):
        raise ValueError(f'Label {name!r} must be a dict of {sorted(_ENTRY_KEYS)}, got {entry!r}.')
    unknown = set(entry) - _ENTRY_KEYS
    if unknown:
        raise ValueError(
            f'Label {name!r} has unknown keys {sorted(unknown)}; the known keys are '
            f'{sorted(_ENTRY_KEYS)}.'
        )
    start = entry.get('start')
    if (start is None) == (not entry.get('background')):
        raise ValueError(
            f'Label {name!r} needs either `background` (a score next to the CAMs) or `start` (an '
            f'earlier label whose scores it continues from), got the keys {sorted(entry)}.'
        )
    if start is None:
        return
    if start not in names:
        raise ValueError(f'Label {name!r} starts from {start!r}, but the labels are {names}.')
    if start not in made:
        raise ValueError(
            f'Label {name!r} starts from {start!r}, which is not made before it. List {start!r} '
            f'first; the order is {names}.'
        )
    if not entry.get('refiners') and not entry.get('labeler'):
        raise ValueError(
            f'Label {name!r} would repeat {start!r}. Give it `refiners` or a `labeler`, or leave '
            'it out.'
        )


def check_sample(sample: SegDataSample, size: tuple[int, int], requires: frozenset[str]) -> None:
    """Refuse a sample that lacks a field or does not match the image.

    Args:
        sample: The data sample of a prediction.
        size: Height and width (H, W) of the image.
        requires: Fields that the parts of the generator need besides the CAMs.

    Raises:
        ValueError: If a field is missing, sizes do not match, or the CAMs are not finite.
    """
    missing = sorted({*_CAM_FIELDS, *requires} - set(sample.keys()))
    if missing:
        raise ValueError(
            f'The data sample lacks {missing}. Boxes and masks come from the data pipeline. '
            'Everything else comes from the classifier, which gives the `required_fields` in the '
            "metainfo of the sample: set them to the generator's `requires`."
        )
    sizes = {'cams': tuple(sample.cams.shape[1:])}
    if 'background_mask' in requires:
        sizes['background_mask'] = tuple(sample.background_mask.shape[-2:])
    for name, found in sizes.items():
        if found != size:
            raise ValueError(
                f'`{name}` must have the size of the image {size}, got {found}. Resize it to the '
                'original image before making labels.'
            )
    if len(sample.cams) != len(sample.cam_label):
        raise ValueError(
            f'`cams` must have one map per entry of `cam_label`, got {len(sample.cams)} maps and '
            f'{len(sample.cam_label)} entries. Check the model that makes them.'
        )
    if not _is_finite(sample.cams):
        raise ValueError(
            f'`cams` of {sample.get("img_path", "an image")} must be finite, got NaN or infinity. '
            'Check the checkpoint of the classifier, or whether its training diverged.'
        )


def check_shape(part: LabelPart, made: Tensor, shape: Sequence[int]) -> None:
    """Refuse the result of a part if it does not have the shape of its contract.

    Raises:
        UserInputError: Naming the part and both shapes.
    """
    if tuple(made.shape) != tuple(shape):
        raise UserInputError(
            f'{type(part).__name__} must return the shape {tuple(shape)}, got {tuple(made.shape)}. '
            'See its contract in mmwsss.structures.'
        )


def check_finite(name: str, scores: Tensor) -> None:
    """Refuse scores from which no label can be made.

    Raises:
        UserInputError: Naming the label and its parts.
    """
    if not _is_finite(scores):
        raise UserInputError(
            f'The scores of the label {name!r} must be finite, got NaN or infinity. Check the '
            'parts that make them: the normalizer, the background and the refiners.'
        )


def check_label(labeler: LabelPart, label: np.ndarray, present: Sequence[int]) -> None:
    """Refuse a label map with classes that are not present in the image.

    Args:
        labeler: The labeler that made it.
        label: The label map.
        present: Values of the classes in the image.

    Raises:
        UserInputError: Naming the labeler and what is wrong.
    """
    name = type(labeler).__name__
    if label.dtype != np.uint8:
        raise UserInputError(
            f'{name} must return uint8 label maps, got {label.dtype}. Convert them in its __call__.'
        )
    counts = np.bincount(label.ravel(), minlength=IGNORE_INDEX + 1)
    counts[[BACKGROUND, IGNORE_INDEX, *present]] = 0
    if counts.any():
        raise UserInputError(
            f'{name} gave the label {counts.argmax()}, but the image only has {list(present)}; '
            f'{BACKGROUND} is background and {IGNORE_INDEX} is ignored. Correct the labeler.'
        )


def _is_finite(values: Tensor) -> bool:
    """Like ``values.isfinite().all()`` in a tenth of its time on a CPU; aminmax passes NaN on."""
    return values.numel() == 0 or bool(torch.stack(values.aminmax()).isfinite().all())
