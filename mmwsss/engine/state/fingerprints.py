"""Short hashes that tell whether settings or files are still the same."""

import hashlib
import json
import os

import numpy as np

_HASH_BLOCK = 1 << 20


def fingerprint(settings: object) -> str:
    """Hash JSON-like settings, arrays of numbers among them, to 16 hexadecimal digits."""
    text = json.dumps(settings, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_hash(path: str | os.PathLike) -> str:
    """Hash the content of a file to 16 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()[:16]


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
