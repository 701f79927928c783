"""Files of predictions: palette PNGs and pictures, with a mark that identifies them."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from mmwsss.apis.input_images import InputImage
from mmwsss.engine.labels.files import LabelFile, label_file_state, write_label
from mmwsss.engine.state.fingerprints import file_hash, fingerprint
from mmwsss.structures import is_valid_scores
from mmwsss.structures.atomic_files import write_atomically


def result_path(out_dir: str, name: str, image: InputImage, suffix: str = '.png') -> Path:
    """Path of a result: ``<out_dir>/<name>/<img_id>.png``."""
    return Path(out_dir, name, f'{image.img_id}{suffix}')


def picture_path(out_dir: str, name: str, image: InputImage) -> Path:
    """Path of its picture: ``<out_dir>/<name>_overlay/<img_id>.jpg``."""
    return Path(out_dir, f'{name}_overlay', f'{image.img_id}.jpg')


def image_stamp(image: InputImage, asked: tuple) -> str:
    """Fingerprint of an image and of the request for it."""
    if image.path is not None:
        content = file_hash(image.path)
    else:
        content = hashlib.sha256(image.read().tobytes()).hexdigest()
    return fingerprint([content, *asked])


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 RGB (H, W, 3), as JPEG."""
    write_atomically(path, cv2.imencode('.jpg', picture[..., ::-1])[1].tobytes())


def write_new_label(path: Path, label: np.ndarray, palette: list, stamp: str) -> None:
    """Write a label map, unless a manually corrected one exists."""
    if not path.exists() or label_file_state(path, stamp) is not LabelFile.BY_HAND:
        write_label(path, label, palette, stamp)


def result_state(path: Path, picture: Path, stamp: str) -> LabelFile:
    """Tell whether a result and its picture, for the same image and model, exist."""
    if not picture.is_file():
        return LabelFile.TO_MAKE
    if path.suffix == '.npz':
        return LabelFile.DONE if is_valid_scores(path, stamp) else LabelFile.TO_MAKE
    return label_file_state(path, stamp)
