"""Reads true masks in the classes of a data set; only this module knows their encoding.

Legend: K foreground classes, H x W pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from mmwsss.datasets.image_files import read_label_map
from mmwsss.structures import BACKGROUND, IGNORE_INDEX, UserInputError, to_seg_label

Others = Literal['background', 'ignore']
_OTHERS = {'background': BACKGROUND, 'ignore': IGNORE_INDEX}
_VALUES = 256  # of a uint8


def mask_values(
    mask_classes: Sequence[str],
    classes: Sequence[str],
    *,
    others: Others = 'background',
    names: Mapping[str, str] | None = None,
) -> dict[int, int]:
    """Map each value of a mask to a label of the data set, matching classes by name.

    Args:
        mask_classes: Classes of the masks in the order of their values, background included.
        classes: Classes of the data set, background first.
        others: What mask classes that the data set does not have become.
        names: Name of every class in the masks, mapped to its name in the data set, if they differ.

    Returns:
        Label 0..K or 255 of every value that a mask may have; 255 stays 255.

    Raises:
        UserInputError: A name occurs twice, the masks lack a class of the data set, or ``others``
            is invalid.
    """
    if others not in tuple(_OTHERS):  # a dict cannot be asked for a list
        raise UserInputError(
            f'Expected the mask classes outside the data set to become one of {tuple(_OTHERS)}, '
            f'got {others!r}. Correct `mask_others` of the data set, or `others` of the masks.'
        )
    if len(set(mask_classes)) < len(mask_classes):
        raise UserInputError(
            f'The classes of the true masks have a name twice: {mask_classes}. Keep one.'
        )
    if names is None:
        names = dict(zip(classes, classes, strict=True))
    in_masks = {names[name] for name in mask_classes if name in names}
    if lacking := [name for name in classes if name not in in_masks]:
        raise UserInputError(
            f'The classes of the true masks lack {lacking[0]!r:.80}, a class of the data set. List '
            'all classes of the masks in the order of their values.'
        )
    labels = {name: list(classes).index(own) for name, own in names.items()}
    values = {i: labels.get(name, _OTHERS[others]) for i, name in enumerate(mask_classes)}
    return {**values, IGNORE_INDEX: IGNORE_INDEX}


def read_true_mask(
    entry: Mapping[str, Any], *, image_shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """Read the true mask of an image as a label map, uint8 (H, W) of 0..K and 255.

    Args:
        entry: Entry of a data list. ``seg_map_path`` is the file. ``mask_values`` maps its values,
            see :func:`mask_values`; without it they are those of the ``num_classes`` foreground
            classes. Entries of MMSegmentation's data sets have ``reduce_zero_label`` and
            ``label_map`` instead.
        image_shape: Height and width of the image, to refuse a mask of another size.

    Raises:
        UserInputError: The entry has no mask, or the mask is damaged, has another size, or has a
            value that is not a class.
    """
    if 'seg_map_path' not in entry:
        raise UserInputError(
            f'There is no true mask of {entry.get("img_path")}. Name the folder of the masks in '
            "the data set, or leave such images out with missing_seg_map='skip'."
        )
    path = entry['seg_map_path']
    mask = read_label_map(path)
    if image_shape is not None and mask.shape != tuple(image_shape):
        raise UserInputError(
            f'{path} is {mask.shape[0]}x{mask.shape[1]}, but its image is {image_shape[0]}x'
            f'{image_shape[1]} (height x width). Use the masks that belong to these images.'
        )
    table, known = _table(entry)
    foreign = ~known[mask]
    if foreign.any():
        raise UserInputError(
            f'{path} has the value {mask[foreign][0]}, which is not a class of the masks: '
            f'{_known_values(known)}. If the masks have other classes than the data set, list them '
            'in the order of their values in `mask_classes` of the data set, or in '
            '`masks=dict(path=..., classes=...)` of the data file.'
        )
    return table[mask]


def _table(entry: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Label of each value, uint8 (256,), and whether a mask may have it, bool (256,)."""
    table, known = np.arange(_VALUES, dtype=np.uint8), np.ones(_VALUES, dtype=bool)
    if (values := entry.get('mask_values')) is not None:
        known[:] = False
        for value, label in values.items():
            table[value], known[value] = label, True
    elif entry.get('label_map') or entry.get('reduce_zero_label'):
        table = _mmseg_table(entry)
    elif 'num_classes' in entry:
        known[to_seg_label(entry['num_classes']) : IGNORE_INDEX] = False
    return table, known


def _mmseg_table(entry: Mapping[str, Any]) -> np.ndarray:
    """Label of each value under the rules of MMSegmentation, uint8 (256,)."""
    table = np.arange(_VALUES, dtype=np.uint8)
    if entry.get('reduce_zero_label'):
        table[1:IGNORE_INDEX] -= 1
        table[BACKGROUND] = IGNORE_INDEX
    renumbered = np.arange(_VALUES, dtype=np.uint8)
    for value, label in (entry.get('label_map') or {}).items():
        renumbered[value] = label
    return renumbered[table]


def _known_values(known: np.ndarray) -> str:
    last = int(np.flatnonzero(known[:IGNORE_INDEX])[-1])
    return f'expected 0..{last} or {IGNORE_INDEX}'
