"""Scores of an image on disk: compressed npz files that any program can read and write.

======================  =====================  ==================================================
``scores``              float16 (1+n, H, W)    background first, then the classes; finite
``classes``             int64 (n,)             class index 0..K-1 of each row after the first
``fingerprint``         str                    of the settings that made them; optional for reading
======================  =====================  ==================================================

The label loop's fingerprints are ``<settings>-<weak label of the image>``: the settings are those
in the ``manifest.json`` beside the folder, the rest makes a change of tags or boxes known.
"""

from io import BytesIO
from pathlib import Path

import numpy as np

from mmwsss.structures.atomic_files import write_atomically
from mmwsss.structures.errors import UserInputError
from mmwsss.structures.json_files import read_json
from mmwsss.structures.labels import IGNORE_INDEX, to_seg_label
from mmwsss.structures.npz_files import MissingArrayError, NPZError, read_npz

_REMEDY = (
    'Name its label in `keep_scores` of the PseudoLabelLoop, finish making the labels, and check '
    'the folder in the config.'
)


def write_scores(path: Path, scores: np.ndarray, classes: np.ndarray, stamp: str) -> None:
    """Write scores as float16, atomically.

    Args:
        path: Where to write.
        scores: Background first, (1+n, H, W).
        classes: Class index of each row after the first, (n,).
        stamp: Fingerprint of the settings that made the scores.

    Raises:
        ValueError: If a score is not finite, or too large for float16.
    """
    halves = round_scores(scores, path)
    buffer = BytesIO()
    np.savez_compressed(
        buffer, scores=halves, classes=classes.astype(np.int64), fingerprint=np.array(stamp)
    )
    write_atomically(path, buffer.getvalue())


def round_scores(scores: np.ndarray, source: str | Path) -> np.ndarray:
    """Round scores to float16, as they are kept.

    Args:
        scores: The scores.
        source: What has them, for the message.

    Raises:
        ValueError: If a score is not finite, or too large for float16.
    """
    with np.errstate(over='ignore'):  # becomes infinite and is refused below
        halves = scores.astype(np.float16)
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
        Scores as stored (float16 by :func:`write_scores`), background first, (1+n, H, W), and the
        class index of each row after the first, int64 (n,).

    Raises:
        UserInputError: If the file is missing, damaged, no score file, or has a score that is not
            finite.
    """
    try:
        arrays = read_npz(path, ('scores', 'classes'), what='score file', remedy=_REMEDY)
    except MissingArrayError as error:
        raise UserInputError(
            f'{path} is not a score file: expected an npz with `scores` and `classes`.'
        ) from error
    except NPZError as error:
        raise UserInputError(
            f'The score file {str(path)!r} cannot be read: {error}. Delete it and run the stage '
            'that made it again; what is complete is skipped.'
        ) from error
    scores, classes = arrays['scores'], arrays['classes']
    _check(path, scores, classes)
    return scores, classes.astype(np.int64)


def is_valid_scores(path: Path, stamp: str) -> bool:
    """Say whether a complete score file with this fingerprint lies at the path.

    The list of a zip's contents stands at its end, so a file that was cut off does not open. The
    scores themselves are not read.
    """
    return _read_stamp(path) == stamp


def settings_stamp(path: str | Path) -> str | None:
    """Fingerprint of the settings that made a score file, without that of its image's label.

    None for a file without one, from another program, and for a file that is not complete.
    """
    stamp = _read_stamp(path)
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
            f'{manifest} has no fingerprint: it is damaged or of another program. Run the stage '
            'that makes the scores again; what is complete is skipped.'
        )
    return stamp


def _read_stamp(path: str | Path) -> str | None:
    try:
        keys = dict(keys=('fingerprint',), beside=('scores', 'classes'))
        return str(read_npz(path, **keys, what='score file', remedy=_REMEDY)['fingerprint'])
    except (NPZError, UserInputError):
        return None


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
            f'{path}: expected floats `scores` (1+n, H, W) and different class indices from 0 '
            f'`classes` (n,), got {scores.dtype} {scores.shape} and {classes.dtype} '
            f'{classes.shape} from {classes.ravel()[:8].tolist()} on.'
        )
    if not np.isfinite(scores).all():
        raise UserInputError(
            f'{path}: a score is NaN or infinite. Delete this file and make it again.'
        )
