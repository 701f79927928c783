"""Scores of an image on disk: compressed npz files that any program can read and write.

======================  =====================  ==================================================
``scores``              float16 (1+n, h, w)    background first, then the classes; finite
``classes``             int64 (n,)             class index 0..K-1 of each row after the first
``fingerprint``         str                    of the settings that made them; optional on reading
``stride``, ``size``    int64 (), int64 (2,)   pixels per cell on each axis, H and W of the image;
                                               without them the scores are at full size
======================  =====================  ==================================================

With a stride s the scores are the means of square cells, ``h = ceil(H / s)``, ``w = ceil(W / s)``
(:func:`~mmwsss.structures.grids.grid_means`), and reading enlarges them bilinearly.

The label loop's fingerprints are ``<settings>-<weak label of the image>``. The settings are those
in the ``manifest.json`` beside the folder; the rest reveals a change of tags or boxes.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmwsss.structures.atomic_files import write_atomically
from mmwsss.structures.errors import UserInputError
from mmwsss.structures.grids import from_grid
from mmwsss.structures.json_files import read_json
from mmwsss.structures.labels import IGNORE_INDEX, to_seg_label
from mmwsss.structures.npz_files import (
    MAX_ARRAY_BYTES,
    MissingArrayError,
    NPZError,
    has_text,
    read_npz,
)

_REMEDY = (
    'Name its label in `keep_scores` of the PseudoLabelLoop, finish making the labels, and check '
    'the folder in the config.'
)

_BITS = 11  # precision of the largest score of a row, that of float16
_TINY = 2.0**-24  # the smallest positive number of float16


def write_scores(
    path: Path,
    scores: np.ndarray,
    classes: np.ndarray,
    stamp: str,
    *,
    stride: int = 1,
    size: tuple[int, int] | None = None,
) -> None:
    """Write scores as float16, atomically.

    Args:
        path: Where to write.
        scores: Background first, (1+n, H, W), or means of cells, (1+n, h, w).
        classes: Class index of each row after the first, (n,).
        stamp: Fingerprint of the settings that made the scores.
        stride: Pixels per cell, on each axis.
        size: Height and width (H, W) of the image; needed with a stride.

    Raises:
        ValueError: If a score is not finite, or too large for float16.
    """
    grid: Any = dict(stride=stride, size=size) if stride > 1 else {}
    buffer = BytesIO()
    np.savez_compressed(
        buffer,
        scores=round_scores(scores, path),
        classes=classes.astype(np.int64),
        fingerprint=np.array(stamp),
        **grid,
    )
    write_atomically(path, buffer.getvalue())


def round_scores(scores: np.ndarray, source: str | Path) -> np.ndarray:
    """Round scores to float16, the form in which they are kept.

    All scores of a row become multiples of one power of two, at most 2^-11 of the largest score,
    which is the precision of float16 there. Most of a map consists of small scores, whose further
    digits decide nothing but would take up four fifths of a file of CRF results.

    Args:
        scores: The scores, (1+n, h, w).
        source: Where they come from, for the message.

    Raises:
        ValueError: If a score is not finite, or too large for float16.
    """
    with np.errstate(over='ignore', invalid='ignore'):  # non-finite scores are refused below
        scores = scores.astype(np.float32)  # in half precision the step may become 0
        largest = np.abs(scores).max(axis=(1, 2), keepdims=True)
        step = np.exp2(np.ceil(np.log2(np.maximum(largest, _TINY))) - _BITS)
        halves = (np.round(scores / step) * step).astype(np.float16)
    if not np.isfinite(halves).all():
        raise ValueError(
            f'{source}: scores to keep must be finite and below 65504, got {scores.min()} to '
            f'{scores.max()}. Check the class activation maps of this image, and give the '
            'generator a `normalize`.'
        )
    return halves


def read_scores(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read scores and their classes.

    Returns:
        Scores at the size of the image, background first, (1+n, H, W), and the class index of each
        row after the first, int64 (n,). Scores keep their stored type, float16 from
        :func:`write_scores`.

    Raises:
        UserInputError: If the file is missing, damaged or not a score file, or has a score that is
            not finite.
    """
    try:
        arrays = read_npz(
            path,
            ('scores', 'classes'),
            what='score file',
            remedy=_REMEDY,
            optional=('stride', 'size'),
        )
    except MissingArrayError as error:
        raise UserInputError(
            f'{path} is not a score file: expected an npz with `scores` and `classes`.'
        ) from error
    except NPZError as error:
        raise UserInputError(
            f'The score file {str(path)!r} cannot be read: {error}. Delete it and rerun the stage '
            'that made it; complete files are skipped.'
        ) from error
    scores, classes = arrays['scores'], arrays['classes']
    _check(path, scores, classes)
    if 'stride' in arrays or 'size' in arrays:
        scores = enlarge_scores(scores, *_grid_of(path, scores, arrays))
    return scores, classes.astype(np.int64)


def enlarge_scores(scores: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Enlarge the scores of cells bilinearly, (1+n, h, w) -> (1+n, H, W) of the same type."""
    if stride == 1:
        return scores
    cells = torch.from_numpy(scores.astype(np.float32))
    return from_grid(cells, stride, size).numpy().astype(scores.dtype)


def is_valid_scores(path: Path, stamp: str) -> bool:
    """Return whether the path holds a complete score file with this fingerprint.

    A zip keeps its table of contents at the end, so a truncated file does not open. The scores
    themselves are not read.
    """
    written_here = has_text(path, 'fingerprint', stamp, beside=('scores', 'classes'))
    return written_here or score_stamp(path) == stamp


def score_stamp(path: str | Path) -> str | None:
    """Fingerprint of a score file; None if it has none or the file is incomplete."""
    try:
        keys = dict(keys=('fingerprint',), beside=('scores', 'classes'))
        return str(read_npz(path, **keys, what='score file', remedy=_REMEDY)['fingerprint'])
    except (NPZError, UserInputError):
        return None


def settings_stamp(path: str | Path) -> str | None:
    """Fingerprint of the settings that made a score file, without that of its image's label.

    None if it has none, as in files of other programs, or if the file is incomplete.
    """
    stamp = score_stamp(path)
    return None if stamp is None else stamp.partition('-')[0]


def manifest_stamp(folder: Path) -> str | None:
    """Fingerprint of the settings that make a folder of scores, if a manifest beside it says so."""
    manifest = folder.parent / 'manifest.json'
    if not manifest.exists():
        return None
    content = read_json(manifest, 'manifest')
    stamp = content.get('fingerprint') if isinstance(content, dict) else None
    if not isinstance(stamp, str):
        raise UserInputError(
            f'{manifest} has no fingerprint: it is damaged or from another program. Rerun the '
            'stage that makes the scores; complete files are skipped.'
        )
    return stamp


def _grid_of(
    path: str | Path, scores: np.ndarray, arrays: dict[str, np.ndarray]
) -> tuple[int, tuple[int, int]]:
    """Stride of the cells and size of the image, in a file that has at least one of the two."""
    numbers = [n for key in ('stride', 'size') for n in arrays.get(key, np.zeros(0)).ravel()]
    if len(numbers) == 3 and all(isinstance(n, np.integer) and n > 0 for n in numbers):
        stride, *size = (int(n) for n in numbers)
        fits = scores.shape[1:] == tuple(-(-n // stride) for n in size)
        if fits and scores.nbytes * stride**2 <= MAX_ARRAY_BYTES:
            return stride, (size[0], size[1])
    raise UserInputError(
        f'{path}: expected a `stride` of the cells and a `size` (H, W) of the image that match '
        f'scores of shape {scores.shape}, got {", ".join(map(str, numbers))}. Delete this file and '
        'make it again.'
    )


def _check(path: str | Path, scores: np.ndarray, classes: np.ndarray) -> None:
    fits = (
        scores.ndim == 3
        and scores.dtype.kind == 'f'
        and classes.shape == (len(scores) - 1,)
        and (classes.dtype.kind in 'iu' or (len(classes) == 0 and classes.dtype.kind == 'f'))
        and len(np.unique(classes)) == len(classes)
        and ((classes >= 0) & (to_seg_label(classes) < IGNORE_INDEX)).all()
    )
    if not fits:
        raise UserInputError(
            f'{path}: expected float `scores` (1+n, H, W) and distinct class indices >= 0 in '
            f'`classes` (n,), got {scores.dtype} {scores.shape} and {classes.dtype} '
            f'{classes.shape} starting with {classes.ravel()[:8].tolist()}.'
        )
    if not np.isfinite(scores).all():
        raise UserInputError(
            f'{path}: a score is NaN or infinite. Delete this file and make it again.'
        )
