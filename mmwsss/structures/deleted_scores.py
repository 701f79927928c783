"""The note that stands in for score files deleted on purpose.

``<folder of the scores>/deleted.json`` records what the files were, so that the stages that took
them still count as finished: ``{"<img_id>.npz": ["<hash of the content>", "<fingerprint>"]}``.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mmwsss.structures.errors import UserInputError
from mmwsss.structures.json_files import read_json, write_json

NOTE = 'deleted.json'


class DeletedScores(NamedTuple):
    """A deleted file: the hash of its content and its fingerprint."""

    hash: str
    stamp: str


def deleted_scores(folder: str | Path) -> dict[str, DeletedScores]:
    """Read which files were deleted from a folder, by path below it; empty without a valid note."""
    note = Path(folder, NOTE)
    try:
        return _read(note, note.stat().st_mtime_ns)
    except OSError:
        return {}


def deleted_file(path: str | Path) -> DeletedScores | None:
    """Look up a missing file in the note of a folder above it."""
    for folder in Path(path).parents:
        if (folder / NOTE).exists():
            return deleted_scores(folder).get(str(Path(path).relative_to(folder)))
    return None


def delete_scores(folder: Path, files: dict[str, DeletedScores]) -> None:
    """Delete files of a folder and leave a note of them; being killed in between loses nothing.

    Args:
        folder: Folder of score files.
        files: The files to delete, by path below it.
    """
    write_json(folder / NOTE, deleted_scores(folder) | files)
    for name in files:
        (folder / name).unlink(missing_ok=True)


def forget_deleted(folder: str | Path) -> None:
    """Remove the note, so that the files count as missing again."""
    Path(folder, NOTE).unlink(missing_ok=True)


@lru_cache(maxsize=16)
def _read(note: Path, time: int) -> dict[str, DeletedScores]:
    """Read a note; its modification time is part of the cache key."""
    try:
        content = read_json(note)
    except UserInputError:
        return {}
    if not isinstance(content, dict):
        return {}
    entries = {name: own for name, own in content.items() if _is_entry(name, own)}
    return {name: DeletedScores(*own) for name, own in entries.items()}


def _is_entry(name: str, entry: object) -> bool:
    inside = not Path(name).is_absolute() and '..' not in Path(name).parts
    return inside and isinstance(entry, list) and [type(value) for value in entry] == [str, str]
