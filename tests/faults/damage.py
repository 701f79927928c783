"""Ways to damage a file of JSON or text that a run keeps its state in."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

Damage = Callable[[Path], None]


def _writes(content: bytes) -> Damage:
    return lambda path: _replace(path, content)


def _replace(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _unreadable(path: Path) -> None:
    """A file that even the superuser cannot open: a link to itself."""
    path.unlink()
    path.symlink_to(path.name)


def _twice(path: Path) -> None:
    text = path.read_text().strip()
    first, _, rest = text.removeprefix('{').partition(',')
    path.write_text('{' + first + ',' + first + ',' + rest if rest else text + text)


ANY_FILE: dict[str, Damage] = {
    'empty': _writes(b''),
    'cut': _cut,
    'binary': _writes(bytes(range(256)) * 4),
    'list': _writes(b'[]'),
    'number': _writes(b'7'),
    'text': _writes(b'"text"'),
    'nothing': _writes(b'null'),
    'folder': _folder,
    'unreadable': _unreadable,
    'nested': _writes(b'[' * 100_000),
    'page': _writes(b'<!DOCTYPE html><html><body>404</body></html>\n'),
}


_KEYS = 6  # of an object, from the first on


def damages_of(path: Path) -> Iterator[tuple[str, Damage]]:
    """List names and functions of the ways to damage a file, without changing it."""
    yield from ANY_FILE.items()
    if path.suffix != '.json':
        return
    yield 'a key twice', _twice
    content = json.loads(path.read_text())
    yield 'an extra key', _json({**content, 'extra': 1})
    yield 'no keys', _json({})
    for key in list(content)[:_KEYS]:
        yield f'without {key}', _json({k: v for k, v in content.items() if k != key})
        other = 7 if isinstance(content[key], str | list | dict) else 'text'
        yield f'{key} of another type', _json({**content, key: other})
    for key in [key for key, value in content.items() if isinstance(value, dict) and value]:
        inner = {name: [7] for name in content[key]}
        yield f'{key} of other types', _json({**content, key: inner})


def _json(content: object) -> Damage:
    return _writes(json.dumps(content, indent=2).encode())
