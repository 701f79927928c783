"""Tags in CSV: ``file,tag1 tag2``, one row per tag, or one column per class."""

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from mmwsss.datasets.label_formats.records import (
    LabelSource,
    WeakLabels,
    has_image_suffix,
    tags_of,
)
from mmwsss.structures import UserInputError
from mmwsss.structures.input_files import read_text

Row = tuple[int, list[str]]
_PRESENT, _ABSENT = {'1', 'true', 'yes'}, {'', '0', '-1', 'false', 'no'}
_NUMBER = re.compile(r'[-+]?\d+(\.\d*)?')


def read_csv_tags(source: LabelSource) -> WeakLabels:
    """Read the tags of images; the first column names the image.

    The other columns hold tags, where a cell may have several, separated by spaces, ``,``, ``;`` or
    ``|``. Or they are named after the classes and hold 1 for present, and 0, -1 or nothing for
    absent. Rows of the same image are joined. A first row that names no image is a heading.

    Raises:
        UserInputError: The file cannot be read or has another form, or an image does not exist.
    """
    rows = _rows(source)
    heading = _heading(rows, source)
    tags: dict[str, list[str]] = defaultdict(list)
    for line, (name, *cells) in rows[heading is not None :]:
        if heading is not None and _has_class_columns(heading, source):
            tags[name] += _marked(heading, cells, line, source)
        else:
            tags[name] += [tag for cell in cells for tag in _split(cell, line, source)]
    if not tags:
        raise UserInputError(f'{source.path} holds no label, only a heading. Add the rows.')
    ids = source.images.match(tags, source.path, repeated=True)
    by_image: dict[str, list[str]] = defaultdict(list)
    for name, found in tags.items():
        by_image[ids[name]] += found
    return WeakLabels({img_id: tags_of(names) for img_id, names in by_image.items()}, False)


def _rows(source: LabelSource) -> list[Row]:
    """Return line numbers and cells of the rows that are not blank."""
    # Names of several words are searched for in the spelling of the description.
    text = unicodedata.normalize('NFC', read_text(source.path, 'label file'))
    # The first separator follows the name of an image; others may separate its tags.
    separator = re.match(r'\s*(?:"(?:[^"]|"")*"|[^,;\t\r\n"]*)\s*([,;\t])', text)
    if separator is None:
        raise UserInputError(
            f'{source.path} is neither JSON nor CSV: its first line has no comma, semicolon or '
            'tab. Expected `file,tag1 tag2` in each line.'
        )
    reader = csv.reader(
        io.StringIO(text, newline=''),
        delimiter=separator[1],
        skipinitialspace=True,
        strict=True,
    )
    rows: list[Row] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise UserInputError(
            f'{source.path}, line {reader.line_num}: {error}. Correct the quotes.'
        ) from error
    if empty := [line for line, cells in rows if not cells[0]]:
        raise UserInputError(
            f'{source.path}, line {empty[0]}: the first cell is empty; expected the name of an '
            'image. Add it, or remove the line.'
        )
    return rows


def _heading(rows: list[Row], source: LabelSource) -> list[str] | None:
    """Return the first row if it is a heading and not an image with its tags."""
    name, *cells = rows[0][1]
    is_image = has_image_suffix(name) or source.images.find(name, source.path) is not None
    return None if is_image else cells


def _has_class_columns(heading: Sequence[str], source: LabelSource) -> bool:
    return bool(set(heading) & set(source.classes))


def _marked(
    heading: Sequence[str], cells: Sequence[str], line: int, source: LabelSource
) -> list[str]:
    """Return the classes whose columns mark them as present."""
    if len(cells) != len(heading):
        raise UserInputError(
            f'{source.path}, line {line}: {len(cells) + 1} cells, but the first line names '
            f'{len(heading) + 1} columns. Correct this line.'
        )
    present = []
    for name, cell in zip(heading, cells, strict=True):
        value = cell.lower().removesuffix('.0')
        if value in _PRESENT:
            present.append(name)
        elif value not in _ABSENT:
            raise UserInputError(
                f'{source.path}, line {line}: {cell!r:.40} in the column {name!r:.40}. Class '
                'columns hold 1 (present), 0 or -1; remove other columns. If the first line is '
                'meant to be an image and not a heading, that image does not exist.'
            )
    return present


def _split(cell: str, line: int, source: LabelSource) -> list[str]:
    """Split a cell into tags; a class name with spaces stays whole."""
    found: list[str] = []
    for part in re.split(r'[,;|]', cell):
        words = part.split()
        while words:
            ends = range(len(words), 1, -1)
            end = next((n for n in ends if ' '.join(words[:n]) in source.classes), 1)
            found.append(' '.join(words[:end]))
            words = words[end:]
    for name in found:
        if _NUMBER.fullmatch(name) and name not in source.classes:
            raise UserInputError(
                f'{source.path}, line {line}: {name} is not the name of a class. Write names '
                'instead of indices; columns of 0 and 1 need a first line with the names.'
            )
    return found
