"""Pseudo labels on disk: palette PNGs that say which settings made them.

A file appears under its name complete or not at all (temporary name, then rename). Its text chunk
``mmwsss`` holds the fingerprint of the settings, so that a label made by other settings, or cut off
by a full disk, is recognised and made again.
"""

import hashlib
import json
import os
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from mmwsss.structures.atomic_files import write_atomically

_CHUNK = 'mmwsss'
_HASH_BLOCK = 1 << 20


def fingerprint(settings: object) -> str:
    """Hash JSON-like settings to 16 hexadecimal digits."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_hash(path: str | os.PathLike) -> str:
    """Hash the content of a file to 16 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()[:16]


def write_json(path: Path, content: dict) -> None:
    """Write indented JSON atomically."""
    write_atomically(path, (json.dumps(content, indent=2) + '\n').encode())


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


def is_valid_label(path: Path, stamp: str) -> bool:
    """Say whether a complete palette PNG with this fingerprint lies at the path."""
    try:
        with Image.open(path) as image:
            valid = image.mode == 'P' and image.info.get(_CHUNK) == stamp
            image.verify()  # checks the chunks' checksums to the end without decoding
    except (OSError, SyntaxError):
        return False
    return valid
