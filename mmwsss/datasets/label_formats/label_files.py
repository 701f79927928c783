"""Reads what the label formats share: large JSON files, and folders of many files."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmwsss.structures.input_files import read_text
from mmwsss.structures.json_files import parse_json

_KEY = '"segmentation"'
_LISTS = re.compile(r'\s*:\s*(?=\[\s*\[)')


def read_annotation_json(path: Path, *, keep_polygons: bool = False) -> object:
    """Read a JSON file without parsing polygons, which are the bulk of a COCO file.

    Args:
        path: The file.
        keep_polygons: Whether ``segmentation``, lists of polygons, is returned as its text in the
            file, or as None.

    Raises:
        UserInputError: The file cannot be read or is not valid JSON.
    """
    # The full text of the file is not kept in memory while the shortened text is parsed.
    text = ''.join(_replace_polygons(read_text(path, 'label file'), keep_polygons))
    return parse_json(text, path, 'label file')


def _replace_polygons(text: str, keep: bool) -> Iterator[str]:
    """Cut JSON into pieces, with a string or null in place of lists of polygons."""
    done, key = 0, text.find(_KEY)
    while key >= 0:
        value = _LISTS.match(text, key + len(_KEY))
        # After a backslash, the key is part of a string.
        if value and not text.startswith('\\', key - 1):
            start = value.end()
            end = _end_of_lists(text, start)
            yield text[done:start]
            # Line breaks are not allowed in a string.
            yield f'"{" ".join(text[start:end].split())}"' if keep else 'null'
            done = end
        key = text.find(_KEY, max(done, key + 1))
    yield text[done:]


def _end_of_lists(text: str, start: int) -> int:
    """Find the end of lists of numbers, which hold no quote or brace but are followed by one."""
    quote = text.find('"', start)
    limit = len(text) if quote < 0 else quote
    brace = text.find('}', start, limit)
    end = text.rfind(']', start, limit if brace < 0 else brace)
    return start if end < 0 else end + 1


def files_below(folder: Path, suffixes: Iterable[str]) -> dict[str, str]:
    """Find files by their suffixes, ignoring case: ``{path below the folder: path}``, sorted.

    Hidden files and folders are left out. Links to folders are followed, each folder only once.
    """
    found = {}
    seen = set()
    endings = tuple(suffixes)
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # such as a link to a folder above it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        below = Path(parent).relative_to(folder).as_posix()
        start = '' if below == '.' else f'{below}/'
        for name in names:
            if name.lower().endswith(endings) and not name.startswith('.'):
                found[start + name] = os.path.join(parent, name)
    return dict(sorted(found.items()))
