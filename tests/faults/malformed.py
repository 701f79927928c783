"""Malformed input: each case runs in a fork of this process, with limits on time and memory.

A *reader* is a function of a path. A case passes if the reader refuses the file in one line that
names it, or returns exactly what the case expects. Any other exception would be a traceback for a
user's mistake, and any other result an error that nobody would notice.
"""

import os
import pickle
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmwsss.structures import UserInputError

SECONDS = 60  # on a busy machine
MEGABYTES = 1200  # for the largest accepted file: an image of 64 million pixels
_LONGEST_LINE = 900


class Refused:
    """Expected from a reader: one line that names the file."""


@dataclass(frozen=True)
class Case:
    """A file and what a reader should make of it.

    Attributes:
        name: What is wrong with the file.
        read: The reader.
        content: The file's bytes, or a function that writes it to a given path.
        expected: ``Refused``, a result, or a function that tells whether a result is right.
    """

    name: str
    read: Callable[[Path], object]
    content: bytes | Callable[[Path], object]
    expected: object = Refused


@dataclass
class Malformed:
    """Counts of a campaign."""

    what: str
    folder: Path
    counts: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    largest: int = 0

    def run(self, case: Case, suffix: str = '') -> None:
        """Make the file, read it in a child and record the outcome."""
        self.counts['inputs'] += 1
        path = self.folder / f'{self.counts["inputs"]:05d}{suffix}'
        if callable(case.content):
            case.content(path)
        else:
            path.write_bytes(case.content)
        kind, text, grown = in_child(lambda: _read(case, path), SECONDS)
        if grown > MEGABYTES:
            kind, text = 'memory', f'{grown} MB'
        self.largest = max(self.largest, grown)
        self.counts[kind] += 1
        if kind not in ('refused', 'right'):
            self.problems.append(f'{kind}: {case.name} ({path.name}): {text}')
        elif path.is_file() and not path.is_symlink():
            path.unlink()

    def check(self) -> None:
        """Print the counts; fail with everything that went wrong."""
        bad = ('wrong', 'traceback', 'hang', 'memory')
        counts = {k: self.counts[k] for k in ('inputs', 'refused', 'right', *bad)}
        figures = ', '.join(f'{number} {kind}' for kind, number in counts.items())
        line = f'malformed {self.what}: {figures}; most memory of one {self.largest} MB'
        print(line)
        assert not self.problems, '\n'.join([line, *self.problems[:40]])


def in_child(function: Callable[[], tuple[str, str]], seconds: float) -> tuple[str, str, int]:
    """Run a function in a fork; return its result and by how many MB the memory grew."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            result = function()
        except BaseException as error:  # nothing may leave the child
            result = ('traceback', f'{type(error).__name__}: {error}'[:300])
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        os.write(write_end, pickle.dumps((*result, grown)))
        os._exit(0)
    os.close(write_end)
    if not _ended(pid, seconds):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return 'hang', f'after {seconds} s', 0
    with os.fdopen(read_end, 'rb') as pipe:
        content = pipe.read()
    return pickle.loads(content) if content else ('traceback', 'the process died', 0)


def _ended(pid: int, seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.002)
    return False


def _read(case: Case, path: Path) -> tuple[str, str]:
    try:
        result = case.read(path)
    except UserInputError as error:
        line = str(error)
        if '\n' in line or len(line) > _LONGEST_LINE or path.stem[:40] not in line:
            return 'traceback', f'no clear line: {line[:300]!r}'
        refusable = case.expected is Refused or callable(case.expected)
        return ('refused', line) if refusable else ('wrong', f'refused: {line}')
    if case.expected is Refused:
        return 'wrong', f'accepted: {str(result)[:200]}'
    right = case.expected(result) if callable(case.expected) else same(result, case.expected)
    return ('right', '') if right else ('wrong', f'read as {str(result)[:200]}')


def same(first: object, second: object) -> bool:
    """Compare results that may hold arrays."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.array_equal(first, second)
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return list(first) == list(second) and all(same(first[k], second[k]) for k in first)
    return first == second


def not_files() -> dict[str, Callable[[Path], object]]:
    """What may lie at a path instead of a file."""
    return {
        'a folder': Path.mkdir,
        'a pipe': os.mkfifo,
        'a link to itself': lambda path: path.symlink_to(path.name),
        'a link to nothing': lambda path: path.symlink_to('nothing'),
        'a link to an endless device': lambda path: path.symlink_to('/dev/zero'),
        'a link to an empty device': lambda path: path.symlink_to('/dev/null'),
        'a link to a link to a folder': lambda path: path.symlink_to('/proc/self/fd'),
        'an empty file': Path.touch,
        'a page': lambda path: path.write_text('<!DOCTYPE html><html><body>404</body></html>'),
        'nulls': lambda path: path.write_bytes(bytes(5000)),
        'noise': lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        'a program': lambda path: path.write_bytes(b'\x7fELF' + bytes(range(256))),
        'an archive': lambda path: path.write_bytes(b'PK\x05\x06' + bytes(18)),
        'a sparse file of 8 GiB': lambda path: path.write_bytes(b'') or os.truncate(path, 1 << 33),
    }


def mutations(content: bytes, count: int, seed: int) -> list[tuple[str, bytes]]:
    """Damage a valid file in ``count`` ways: flipped bits, cuts, insertions, runs of one byte."""
    rng = np.random.default_rng(seed)
    damaged = []
    for number in range(count):
        mutant = bytearray(content)
        kind = ('flip', 'cut', 'insert', 'fill', 'swap', 'repeat')[number % 6]
        first = int(rng.integers(len(content)))
        length = int(rng.integers(1, 16))
        if kind == 'flip':
            mutant[first] ^= 1 << int(rng.integers(8))
        elif kind == 'cut':
            del mutant[first:]
        elif kind == 'insert':
            mutant[first:first] = rng.bytes(length)
        elif kind == 'fill':
            mutant[first : first + length] = bytes([int(rng.integers(256))]) * length
        elif kind == 'swap':
            del mutant[first : first + length]
        else:
            mutant[first:first] = mutant[first : first + length]
        damaged.append((f'{kind} at {first} of {len(content)}', bytes(mutant)))
    return damaged
