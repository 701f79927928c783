"""Foreground proportions of a split on disk: one npz file that any program can read and write.

======================  =====================  ==================================================
``ids``                 str (N,)               image ids, each once
``proportions``         float64 (N, K)         share of the image's pixels of each class, in [0, 1]
``classes``             str (K,)               names of the foreground classes
======================  =====================  ==================================================
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmwsss.structures.atomic_files import write_atomically
from mmwsss.structures.errors import UserInputError
from mmwsss.structures.npz_files import MissingArrayError, NPZError, read_npz

_REMEDY = (
    'Name its label in `proportions` of the PseudoLabelLoop, or make it from a folder of label '
    'maps with tools/analysis_tools/estimate_proportions.py.'
)


class Proportions(NamedTuple):
    """Foreground proportions of N images, as read from a file.

    Attributes:
        ids: Image ids, N of them.
        values: Share of the pixels of every class in every image, float64 (N, K).
        classes: Names of the K foreground classes.
    """

    ids: tuple[str, ...]
    values: np.ndarray
    classes: tuple[str, ...]


def write_proportions(
    path: Path, ids: Sequence[str], values: np.ndarray, classes: Sequence[str]
) -> None:
    """Write proportions atomically.

    Args:
        path: Where to write.
        ids: Image ids, N of them.
        values: Share of the pixels of every class in every image, (N, K).
        classes: Names of the K foreground classes.

    Raises:
        UserInputError: If ids, values and classes do not match, an id occurs twice, or a value is
            not a share.
    """
    arrays = dict(
        ids=np.array(list(ids), dtype=np.str_),
        proportions=np.asarray(values, dtype=np.float64),
        classes=np.array(list(classes), dtype=np.str_),
    )
    _check(path, **arrays)
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # no key is an option
    write_atomically(path, buffer.getvalue())


def read_proportions(path: str | Path) -> Proportions:
    """Read a file of proportions.

    Raises:
        UserInputError: If the file is missing, a folder, damaged or not a file of proportions, or
            has an id twice or a value outside [0, 1].
    """
    keys = ('ids', 'proportions', 'classes')
    try:
        arrays = read_npz(path, keys, what='file of proportions', remedy=_REMEDY)
    except MissingArrayError as error:
        raise UserInputError(
            f'{path} is not a file of proportions: expected an npz with `ids`, `proportions` and '
            '`classes`. Make one with tools/analysis_tools/estimate_proportions.py.'
        ) from error
    except NPZError as error:
        raise UserInputError(
            f'The file of proportions {str(path)!r} cannot be read: {error}. Delete it and make it '
            'again.'
        ) from error
    ids, values, classes = (arrays[key] for key in keys)
    _check(path, ids, values, classes)
    return Proportions(tuple(ids.tolist()), values.astype(np.float64), tuple(classes.tolist()))


def _check(path: str | Path, ids: np.ndarray, proportions: np.ndarray, classes: np.ndarray) -> None:
    fits = (
        ids.ndim == classes.ndim == 1
        and (ids.dtype.kind, classes.dtype.kind, proportions.dtype.kind) == ('U', 'U', 'f')
        and proportions.shape == (len(ids), len(classes))
    )
    if not fits:
        raise UserInputError(
            f'{path}: expected text `ids` (N,) and `classes` (K,) and float `proportions` (N, K), '
            f'got {ids.dtype} {ids.shape}, {classes.dtype} {classes.shape} and '
            f'{proportions.dtype} {proportions.shape}. Make the file again.'
        )
    for name, entries in dict(ids=ids, classes=classes).items():
        entry, count = np.unique(entries, return_counts=True)
        if (count > 1).any():
            raise UserInputError(
                f'{path}: {str(entry[count > 1][0])!r} occurs more than once in `{name}`. Keep one.'
            )
    outside = ~((proportions >= 0) & (proportions <= 1))  # NaN as well
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise UserInputError(
            f'{path}: image {str(ids[row])!r} has the proportion {proportions[row, column]} of '
            f'{str(classes[column])!r}; expected a share of its pixels in [0, 1]. Divide by its '
            'number of pixels.'
        )
