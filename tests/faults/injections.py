"""Deaths at an exact moment: the n-th change of a file below a folder.

A *change* is opening a file for writing, the first write to it, a rename or a removal, by this
process. Logs and dumped configs do not count. The tested code is unchanged: Python's own functions
are wrapped in the child that :mod:`faults.warm` has forked, before the tool starts.
"""

import builtins
import errno
import io
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

# mmengine's folder of a run, logs, and configs written for reference.
_NOT_STATE = re.compile(r'/\d{8}_\d{6}/|\.log$|\.py$')
_WRITING = set('wxa+')


def is_state(path: str) -> bool:
    """Return whether a file in a work folder is more than a log or a copy of a config."""
    return not _NOT_STATE.search(path)


class _Changes:
    """Count the changes below a folder, list them in a file, and end the process at one."""

    def __init__(self, folder: str, trace: str | None, die_at: int, action: str) -> None:
        self.folder = os.path.abspath(folder)
        self.trace = trace
        self.die_at = die_at
        self.action = action
        self.count = 0
        self.pid = os.getpid()
        self.open = builtins.open

    def watches(self, path: object) -> bool:
        if not isinstance(path, str | os.PathLike) or os.getpid() != self.pid:
            return False
        name = os.path.abspath(path)
        return name.startswith(self.folder + os.sep) and is_state(name)

    def happens(self, what: str, path: object) -> bool:
        """Record a change that is about to happen; return whether the process ends in it."""
        self.count += 1
        if self.trace:
            with self.open(self.trace, 'a') as file:
                file.write(f'{what} {os.path.relpath(path, self.folder)}\n')
        return self.count - 1 == self.die_at

    def before(self, what: str, path: object) -> None:
        if self.happens(what, path):
            self.end()

    def end(self) -> None:
        if self.action == 'full':
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.kill(os.getpid(), getattr(signal, self.action))


class _File:
    """A file whose first write may stop halfway."""

    def __init__(self, file: Any, path: object, changes: _Changes) -> None:
        self._file, self._path, self._changes, self._written = file, path, changes, False

    def write(self, content: Any) -> int:
        if not self._written:
            self._written = True
            if self._changes.happens('write', self._path):
                self._file.write(content[: len(content) // 2])
                self._file.flush()
                self._changes.end()
        return self._file.write(content)

    def __enter__(self) -> '_File':
        self._file.__enter__()
        return self

    def __exit__(self, *error: object) -> object:
        return self._file.__exit__(*error)

    def __iter__(self) -> Any:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def die_at(folder: str, change: int, action: str = 'SIGKILL', trace: str | None = None) -> None:
    """End this process at a change.

    Args:
        folder: Where changes count.
        change: Number of the change, from 0; -1 only counts.
        action: Name of the signal that the process sends to itself, or ``full``: the disk has no
            space left for this one change.
        trace: File to list the changes in, ``'<what> <path below folder>'``.
    """
    changes = _Changes(folder, trace, change, action)
    builtins.open = io.open = _opening(builtins.open, changes)
    os.open = _opening_descriptor(os.open, changes)
    os.fdopen = _naming_descriptor(os.fdopen, changes)
    for name in ('replace', 'rename', 'link', 'remove', 'unlink', 'rmdir'):
        setattr(os, name, _changing(getattr(os, name), name, changes))
    torch.save = _saving(torch.save, changes)


def _opening(function: Callable, changes: _Changes) -> Callable:
    def open_file(file: Any, mode: str = 'r', *arguments: Any, **keywords: Any) -> Any:
        name = _DESCRIPTORS.pop(file, None) if isinstance(file, int) else file
        if not _WRITING & set(mode) or not changes.watches(name):
            return function(file, mode, *arguments, **keywords)
        if 'opener' in keywords or os.path.isdir(name):  # tempfile: os.open is called with the name
            opened = function(file, mode, *arguments, **keywords)
            return _File(opened, _DESCRIPTORS.pop(opened.fileno(), name), changes)
        if not isinstance(file, int):
            changes.before('open', name)
        return _File(function(file, mode, *arguments, **keywords), name, changes)

    return open_file


_DESCRIPTORS: dict[int, str] = {}


def _opening_descriptor(function: Callable, changes: _Changes) -> Callable:
    def open_descriptor(path: Any, flags: int, *arguments: Any, **keywords: Any) -> int:
        if not flags & (os.O_WRONLY | os.O_RDWR) or not changes.watches(path):
            return function(path, flags, *arguments, **keywords)
        changes.before('open', path)
        descriptor = function(path, flags, *arguments, **keywords)
        _DESCRIPTORS[descriptor] = os.fspath(path)
        return descriptor

    return open_descriptor


def _naming_descriptor(function: Callable, changes: _Changes) -> Callable:
    def name_descriptor(descriptor: int, mode: str = 'r', *arguments: Any, **keywords: Any) -> Any:
        return builtins.open(descriptor, mode, *arguments, **keywords)

    return name_descriptor


def _changing(function: Callable, what: str, changes: _Changes) -> Callable:
    def change(*arguments: Any, **keywords: Any) -> Any:
        path = arguments[1] if what in ('replace', 'rename', 'link') else arguments[0]
        if changes.watches(path) and os.path.lexists(arguments[0]):
            changes.before(what, path)
        return function(*arguments, **keywords)

    return change


def _saving(function: Callable, changes: _Changes) -> Callable:
    """Pass a path on as a file, so that writing counts; PyTorch would bypass Python."""

    def save(content: Any, file: Any, *arguments: Any, **keywords: Any) -> None:
        if not changes.watches(file):
            return function(content, file, *arguments, **keywords)
        with builtins.open(Path(file), 'wb') as opened:
            buffer = io.BytesIO()
            function(content, buffer, *arguments, **keywords)
            opened.write(buffer.getvalue())
        return None

    return save
