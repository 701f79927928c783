"""What a work folder holds, in a form that can be compared with that of an undisturbed run."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import mmwsss  # noqa: F401  (checkpoints are read as data)
from faults.injections import is_state

# Files and keys that differ from run to run: times, process ids, and what depends on the bytes of a
# checkpoint, which holds the times of its training.
_OF_THIS_RUN = {
    'seconds',
    'contents.json',
    'deleted.json',
    '.lock',
    'checkpoint_hash',
    'decided',
    'fingerprint',
    'made',
}
_REPORT_STAMP = re.compile(rb'<meta name="fingerprint" content="\w+">')


def contents(folder: Path, *, stamps: bool = False) -> dict[str, str]:
    """Return a hash of the content of every file below a folder, by path, without logs.

    Paths of the folder itself do not count; weights, optimizer and iteration of a checkpoint do.
    A checkpoint holds the times of its run, so its file differs from run to run, and so do the
    stamps of labels that are made with it.

    Args:
        folder: The work folder.
        stamps: Whether stamps count, that is, whether labels must be equal byte for byte.
    """
    files = [path for path in folder.rglob('*') if path.is_file() and is_state(str(path))]
    return {str(p.relative_to(folder)): _content_of(p, folder, stamps) for p in sorted(files)}


def _content_of(path: Path, folder: Path, stamps: bool) -> str:
    try:
        return _digest(path, folder, stamps)
    except Exception as error:
        return f'unreadable, {type(error).__name__}'


def _digest(path: Path, folder: Path, stamps: bool) -> str:
    if path.name in _OF_THIS_RUN:
        return ''
    if path.suffix == '.pth':
        return _checkpoint_digest(path)
    if path.suffix in ('.png', '.npz') and not stamps:
        return _array_digest(path)
    content = path.read_bytes().replace(str(folder).encode(), b'<folder>')
    if path.suffix == '.html':  # its stamp has the times of the labels
        content = _REPORT_STAMP.sub(b'', content)
    if path.suffix == '.json':
        content = json.dumps(_lasting(json.loads(content)), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _array_digest(path: Path) -> str:
    digest = hashlib.sha256()
    if path.suffix == '.png':
        with Image.open(path) as image:
            _add(digest, [image.mode, image.size, image.tobytes()])
        return digest.hexdigest()[:16]
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            if arrays[name].dtype.kind != 'U':  # the stamp
                _add(digest, [name, arrays[name].tobytes()])
    return digest.hexdigest()[:16]


def _lasting(node: object) -> object:
    if isinstance(node, dict):
        return {key: _lasting(value) for key, value in node.items() if key not in _OF_THIS_RUN}
    return node


def _checkpoint_digest(path: Path) -> str:
    content = torch.load(path, weights_only=True, map_location='cpu')
    digest = hashlib.sha256(str(content['meta']['iter']).encode())
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        _add(digest, content.get(part))
    return f'iteration {content["meta"]["iter"]}, {digest.hexdigest()[:16]}'


def _add(digest: 'hashlib._Hash', node: object) -> None:
    if isinstance(node, torch.Tensor):
        digest.update(node.contiguous().numpy().tobytes())
    elif isinstance(node, dict):
        for key, value in node.items():
            digest.update(str(key).encode())
            _add(digest, value)
    elif isinstance(node, bytes):
        digest.update(node)
    elif isinstance(node, list | tuple):
        for value in node:
            _add(digest, value)
    else:
        digest.update(repr(node).encode())


def differences(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Describe how one folder differs from another, one line per file."""
    return [
        f'{name}: {found.get(name, "missing")} instead of {wanted.get(name, "nothing")}'
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]


def last_iteration(folder: Path) -> int:
    """Return the iteration of the newest readable checkpoint in a folder; 0 without one."""
    found = [0]
    for path in folder.glob('iter_*.pth'):
        try:
            found.append(torch.load(path, weights_only=True, map_location='cpu')['meta']['iter'])
        except Exception:
            continue
    return max(found)
