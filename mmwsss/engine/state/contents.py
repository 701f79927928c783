"""Hashes the files that determine a result, and hashes them again only when they change."""

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mmengine.dataset import ClassBalancedDataset, RepeatDataset
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger

from mmwsss.engine.progress import Progress
from mmwsss.engine.ranks import map_over_ranks, on_first_rank, run_on_ranks
from mmwsss.engine.state.fingerprints import file_hash, fingerprint
from mmwsss.engine.state.settings import data_root
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError, deleted_file, deleted_scores, read_json
from mmwsss.structures.atomic_files import write_atomically
from mmwsss.structures.deleted_scores import NOTE
from mmwsss.structures.input_files import check_file

# Entries of a data list that depend on other settings or are the same for all images.
_DERIVED = {'label_map', 'reduce_zero_label', 'sample_idx', 'seg_fields'}
_CHUNK = 64
_THREADS = 8
_KEPT = 4  # files of the same name
_MANY = 2000  # files; reading more may take long enough to show progress


class _Known(NamedTuple):
    """State of a file when it was hashed: size, time of its last change, hash of its content."""

    size: int
    time: int
    hash: str


class Contents:
    """Hashes of the contents of files, kept between runs.

    A file is read again only if its size or time changed. Names of files below the root of the data
    are relative to it, so moved data are not read again.

    Args:
        path: JSON file ``{name: [[size, time in ns, hash], ...]}``, with an entry for each of the
            last files of a name, since data of several roots may have equal names. If it is missing
            or damaged, only time is lost, because everything is hashed anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _read(path)

    def of_files(self, files: Sequence[str], root: str | None = None) -> list[str]:
        """Hash the content of files; several ranks share the reading.

        Args:
            files: Paths of the files, the same on every rank.
            root: Root of the data, which has no influence.

        Raises:
            UserInputError: A file cannot be read.
        """
        names = _names(files, root)
        named = list(zip(files, names, strict=True))
        chunks = [named[i : i + _CHUNK] for i in range(0, len(named), _CHUNK)]
        with ThreadPoolExecutor(_THREADS) as pool, _watching(len(files), len(chunks)) as watch:
            shares = map_over_ranks(partial(self._look, pool), chunks, watch=watch)
        entries = [entry for share in shares for entry in share]
        if self._note(dict(zip(names, entries, strict=True))) and is_main_process():
            write_atomically(self.path, json.dumps(self._known).encode())
        return [entry.hash for entry in entries]

    def _note(self, found: dict[str, _Known]) -> bool:
        """Keep the findings; tell if any of them is new."""
        new = {
            name: entry for name, entry in found.items() if entry not in self._known.get(name, ())
        }
        for name, entry in new.items():
            self._known[name] = [*self._known.get(name, ()), entry][-_KEPT:]
        return bool(new)

    def of_path(self, path: str) -> str:
        """Hash the content of a file, or the contents and names of all files in a folder."""
        if not on_first_rank(lambda: os.path.isdir(path)):
            return self.of_files([path])[0]
        files = on_first_rank(lambda: sorted(map(str, files_below(path))))
        names = [os.path.relpath(file, path) for file in files]
        return fingerprint(list(zip(names, self.of_files(files), strict=True)))

    def of_dataset(self, config: dict) -> str:
        """Hash what a data set lists: images, labels, proportions and the content of all files.

        Args:
            config: Config of a data set with ``get_data_info``, as all of mmengine's have it.
        """
        infos: list[dict] = []
        run_on_ranks(lambda: infos.extend(_infos(config)))
        return fingerprint(self.of_infos(infos, data_root(config)))

    def of_infos(self, infos: list[dict], root: str | None) -> list[dict]:
        """Copy entries of a data list, with each file's content in place of its path."""
        keys = [sorted(k for k, v in info.items() if _is_file_key(k, v)) for info in infos]
        files = [info[key] for info, own in zip(infos, keys, strict=True) for key in own]
        hashes = iter(self.of_files(files, root))
        plain = [{k: v for k, v in info.items() if k not in _DERIVED} for info in infos]
        for entry, own in zip(plain, keys, strict=True):
            entry.update((key, next(hashes)) for key in own)
        return plain

    def _look(self, pool: ThreadPoolExecutor, named: list[tuple[str, str]]) -> list[_Known]:
        entries = [self._unchanged(file, name) for file, name in named]
        changed = [i for i, entry in enumerate(entries) if not entry.hash]
        hashes = pool.map(_hash, [named[i][0] for i in changed])
        for i, digest in zip(changed, hashes, strict=True):
            entries[i] = entries[i]._replace(hash=digest)
        return entries

    def _unchanged(self, file: str, name: str) -> _Known:
        """Size and time of a file, with its known hash if neither has changed."""
        try:
            stat = os.stat(file)
        except FileNotFoundError as error:
            if (was := deleted_file(file)) is None:
                raise _unreadable(file, error) from error
            return _Known(0, 0, was.hash)
        except OSError as error:
            raise _unreadable(file, error) from error
        # Only the system can set the second one, so a copy with the old date is noticed.
        size, time = stat.st_size, max(stat.st_mtime_ns, stat.st_ctime_ns)
        known = [k for k in self._known.get(name, ()) if (k.size, k.time) == (size, time)]
        return known[-1] if known else _Known(size, time, '')


def files_below(folder: str | Path) -> set[Path]:
    """List all files in a folder and its subfolders, and scores that were deleted on purpose."""
    folder = Path(folder)
    there = {path for path in folder.rglob('*') if path.is_file()}
    # Locks and temporary files have no influence.
    counting = {path for path in there if not path.name.startswith('.')}
    return (counting - {folder / NOTE}) | {folder / name for name in deleted_scores(folder)}


def _infos(config: dict) -> list[dict]:
    with without_warnings():  # they appear again when the stage builds the data set
        dataset = DATASETS.build(config)
        while isinstance(dataset, RepeatDataset | ClassBalancedDataset):
            dataset = dataset.dataset  # its repetitions count through the settings
        if not hasattr(dataset, 'get_data_info'):
            return []  # from another library: its settings count, but its files are unknown
        return [dataset.get_data_info(i) for i in range(len(dataset))]


def _read(path: Path) -> dict[str, list[_Known]]:
    try:
        content = read_json(path)
    except UserInputError:
        return {}
    if not isinstance(content, dict):
        return {}
    entries = {name: own for name, own in content.items() if isinstance(own, list)}
    return {name: [_Known(*e) for e in own if _is_entry(e)] for name, own in entries.items()}


def _is_entry(entry: object) -> bool:
    return isinstance(entry, list) and [type(value) for value in entry] == [int, int, str]


def _is_file_key(key: str, value: object) -> bool:
    # The content of an address counts by its name.
    return key.endswith('_path') and isinstance(value, str) and '://' not in value


def _names(files: Sequence[str], root: str | None) -> list[str]:
    """Names relative to the root of the data, or absolute ones for files elsewhere."""
    start = os.path.join(os.path.abspath(root), '') if root else None
    paths = [os.path.abspath(file) for file in files]
    return [path[len(start) :] if start and path.startswith(start) else path for path in paths]


def _hash(file: str) -> str:
    check_file(file, 'file')  # reading a pipe would wait
    try:
        return file_hash(file)
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: str, error: OSError) -> UserInputError:
    return UserInputError(
        f'{file} cannot be read: {error.strerror}. Restore this file, or correct the folder that '
        'the config names.'
    )


@contextmanager
def _watching(num_files: int, num_chunks: int) -> Iterator[Callable[[Iterable], Iterable]]:
    """Show progress if there are many files."""
    if num_files < _MANY:
        yield iter
        return
    logger = MMLogger.get_current_instance()
    with Progress(f'checking files, {_CHUNK} at a time', num_chunks, logger) as progress:
        yield progress.iterate


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep warnings from the log, so that they are new when they come again."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        # One that the log drops would count as shown, and Python shows each only once.
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)
