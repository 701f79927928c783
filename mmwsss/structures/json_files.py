"""JSON files, read strictly: nothing is guessed or lost."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import NoReturn

from mmwsss.structures.atomic_files import write_atomically
from mmwsss.structures.errors import UserInputError
from mmwsss.structures.input_files import read_text


def read_json(path: str | Path, what: str = 'file', *, remedy: str = '') -> object:
    """Read a JSON file.

    Python's own reader keeps the last of two equal keys and accepts NaN and infinity. Both are
    refused here.

    Args:
        path: Path of the file.
        what: What the file is, for the message, such as ``'label file'``.
        remedy: A sentence on what to do if the file does not exist.

    Raises:
        UserInputError: If the file is missing, unreadable or not UTF-8; is not complete, valid
            JSON; has a key twice in one object; has a number that is not finite or has thousands
            of digits; or is nested too deeply.
    """
    return parse_json(read_text(path, what, remedy=remedy), path, what)


def parse_json(text: str, path: str | Path, what: str = 'file') -> object:
    """Read JSON from the text of a file, as :func:`read_json` does.

    Raises:
        UserInputError: As in :func:`read_json`, except for unreadable files.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        reason = f'{error}'
    except RecursionError:
        reason = 'it is nested too deeply'
    except ValueError as error:  # from the functions below, or Python's limit on integer digits
        reason = str(error).partition(';')[0]
    raise UserInputError(
        f'The {what} {str(path)!r} is not valid JSON: {reason}. Correct or restore this file.'
    )


def write_json(path: Path, content: dict) -> None:
    """Write indented JSON atomically."""
    write_atomically(path, (json.dumps(content, indent=2) + '\n').encode())


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f'the key {twice!r:.80} occurs twice')
    return entries


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f'the number {text:.80} is out of range')
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is not a valid JSON number')
