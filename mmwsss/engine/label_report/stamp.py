"""Tells whether a report is still true."""

import hashlib
import os
from dataclasses import asdict
from pathlib import Path

from mmwsss.engine.label_report.source import ReportSource
from mmwsss.engine.state.fingerprints import fingerprint
from mmwsss.evaluation.label_folder import label_file

# What measures, draws and writes: a report of other code is another report.
_CODE = ('engine/label_report', 'evaluation', 'visualization')
_PACKAGE = Path(__file__).parents[2]
_HEAD = 2000  # characters of a page; the stamp stands near its beginning


def stamp_of(source: ReportSource) -> str:
    """Fingerprint what a report shows: code, source, and size and time of every file.

    A file that was only copied counts as another one: that costs a new report, nothing else.
    """
    sets = (source.labels, *source.others)
    files = [_state(label_file(one.folder, i.img_id)) for one in sets for i in source.images]
    files += [_state(image.path) for image in source.images]
    files += [_state(image.mask['seg_map_path']) for image in source.images if image.mask]
    return fingerprint([_code(), asdict(source), files])


def is_current(path: Path, source: ReportSource) -> bool:
    """Say if a report is about this source, and nothing changed since."""
    try:
        with open(path, encoding='utf-8') as file:
            head = file.read(_HEAD)
    except (OSError, UnicodeDecodeError):
        return False
    return f'content="{stamp_of(source)}"' in head


def _code() -> str:
    digest = hashlib.sha256()
    for folder in _CODE:
        for file in sorted((_PACKAGE / folder).rglob('*')):
            if file.is_file() and file.suffix != '.pyc':
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _state(file: str | os.PathLike) -> list[int] | None:
    try:
        stat = os.stat(file)
    except OSError:  # writing the report says which one is missing
        return None
    # The second time is set by the system alone: a copy with the old date is noticed.
    return [stat.st_size, max(stat.st_mtime_ns, stat.st_ctime_ns)]
