"""Reads what label formats share: large JSON, and folders of many files."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from mmwsss.structures.input_files import read_text
from mmwsss.structures.json_files import parse_json

# Polygons are most of a COCO file. Only a key is followed by a colon, and only their lists of
# numbers are without quotes and braces up to the last bracket.
_POLYGONS = re.compile(r'(?<!\\)("segmentation"\s*:\s*)\[\s*\[[^"{}]*\]')


def read_annotation_json(path: Path) -> object:
    """Read a JSON file without the polygons of its objects, which no weak label needs.

    Raises:
        UserInputError: The file cannot be read or is not valid JSON.
    """
    text = _POLYGONS.sub(r'\1null', read_text(path, 'label file'))
    return parse_json(text, path, 'label file')


def files_below(folder: Path, suffixes: Iterable[str]) -> dict[str, str]:
    """Find files by their suffixes, in any case: ``{path below the folder: path}``, sorted.

    Hidden files and folders are left out.
    """
    found = {}
    endings = tuple(suffixes)
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.')]
        below = Path(parent).relative_to(folder).as_posix()
        start = '' if below == '.' else f'{below}/'
        for name in names:
            if name.lower().endswith(endings) and not name.startswith('.'):
                found[start + name] = os.path.join(parent, name)
    return dict(sorted(found.items()))
