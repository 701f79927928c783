"""Pseudo labels on disk: palette PNGs that say which settings made them.

A file appears under its name complete or not at all (temporary name, then rename). Its text chunk
``mmwsss`` holds the fingerprint of the settings, so that a label made by other settings, or cut off
by a full disk, is recognised and made again. A file without it is not ours: someone corrected the
label and saved it, and it is kept.
"""

from enum import Enum
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from mmwsss.structures.atomic_files import write_atomically

_CHUNK = 'mmwsss'


def write_label(path: Path, label: np.ndarray, palette: list, stamp: str) -> None:
    """Write a label map as a palette PNG (mode P) that carries a fingerprint.

    Args:
        path: Where to write.
        label: Label map of 0..K and 255, uint8 (H, W).
        palette: RGB colour of each label 0..K, values 0..255.
        stamp: Fingerprint of the settings that made the label.
    """
    image = Image.fromarray(label).convert('L')
    colors = np.full((256, 3), 224, dtype=np.uint8)  # 255 = ignore: VOC's light border colour
    colors[: len(palette)] = np.asarray(palette, dtype=np.uint8)
    image.putpalette(colors.tobytes())
    info = PngImagePlugin.PngInfo()
    info.add_text(_CHUNK, stamp)
    buffer = BytesIO()
    image.save(buffer, format='PNG', pnginfo=info)
    write_atomically(path, buffer.getvalue())


class LabelFile(Enum):
    """What lies at the path of a label map."""

    DONE = 'complete, of the settings asked for'
    TO_MAKE = 'missing, damaged, or of other settings'
    BY_HAND = 'a label map that this package did not write, such as a corrected one'


def label_file_state(path: Path, stamp: str) -> LabelFile:
    """Say what lies at the path of a label map, given the fingerprint that it should carry."""
    try:
        with Image.open(path) as image:
            # Ours comes before the pixels, so that it is there even if the file was cut off.
            if _CHUNK not in image.info:
                return LabelFile.BY_HAND
            valid = image.mode == 'P' and image.info[_CHUNK] == stamp
            image.verify()  # checks the chunks' checksums to the end without decoding
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return LabelFile.TO_MAKE
    return LabelFile.DONE if valid else LabelFile.TO_MAKE
