"""Where the labels of a split are, and which of them already exist."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mmwsss.engine.labels.files import LabelFile, label_file_state, write_label
from mmwsss.pseudo_labels import LabelMaps
from mmwsss.structures import deleted_file, grid_means, is_valid_scores, size_of, write_scores


@dataclass(frozen=True)
class LabelStore:
    """Files of all label maps below one folder, and of the scores of some of them.

    Attributes:
        folder: Label maps are ``<folder>/<name>/<img_id>.png``, scores
            ``<folder>/<name>_scores/<img_id>.npz`` (:mod:`mmwsss.structures.score_files`).
        names: Names of the labels.
        scores_of: Names of the labels whose scores are kept, and at how many pixels per cell.
        palette: RGB colour of each label 0..K, values 0..255.
        stamp: Fingerprint of the settings that make the labels.
        image_stamps: Fingerprint of each image's content and weak label, by image id. Files carry
            both fingerprints, ``<stamp>-<image stamp>``, so that a changed tag or image has only
            that image's labels made again.
        overwrite: Replace label maps that this package did not write; otherwise they are kept.
    """

    folder: Path
    names: tuple[str, ...]
    scores_of: dict[str, int]
    palette: list
    stamp: str
    image_stamps: dict[str, str]
    overwrite: bool = False

    @property
    def label_folders(self) -> dict[str, str]:
        """Folder of the label maps by label name."""
        return {name: str(self.folder / name) for name in self.names}

    @property
    def score_folders(self) -> dict[str, str]:
        """Folder of the scores by ``<label name>_scores``."""
        return {f'{name}_scores': str(self.folder / f'{name}_scores') for name in self.scores_of}

    @property
    def subfolders(self) -> list[Path]:
        """All folders of label maps and scores; an id with a '/' has a folder in each."""
        parents = {os.path.dirname(img_id) for img_id in self.image_stamps}
        tops = (self.label_folders | self.score_folders).values()
        return [Path(top, parent) for top in tops for parent in parents]

    def _label_path(self, name: str, img_id: str) -> Path:
        return self.folder / name / f'{img_id}.png'

    def _score_path(self, name: str, img_id: str) -> Path:
        return self.folder / f'{name}_scores' / f'{img_id}.npz'

    def _stamp(self, img_id: str) -> str:
        return f'{self.stamp}-{self.image_stamps[img_id]}'

    def _score_stamp(self, name: str, img_id: str) -> str:
        stride = self.scores_of[name]
        return self._stamp(img_id) + (f'-{stride}' if stride > 1 else '')

    def look(self, img_id: str) -> tuple[bool, tuple[str, ...]]:
        """Tell if an image has files to make, and which of its labels were manually corrected."""
        stamp = self._stamp(img_id)
        states = {
            name: label_file_state(self._label_path(name, img_id), stamp) for name in self.names
        }
        foreign = tuple(name for name, state in states.items() if state is LabelFile.BY_HAND)
        if self.overwrite and foreign:
            return True, ()
        done = LabelFile.TO_MAKE not in states.values() and all(
            self._has_scores(name, img_id) for name in self.scores_of
        )
        return not done, foreign

    def _has_scores(self, name: str, img_id: str) -> bool:
        """Whether the scores of an image exist, or existed and were deleted on purpose."""
        path, stamp = self._score_path(name, img_id), self._score_stamp(name, img_id)
        if is_valid_scores(path, stamp):
            return True
        was = None if path.exists() else deleted_file(path)
        return was is not None and was.stamp == stamp

    def writing(
        self, img_id: str, maps: LabelMaps, kept: tuple[str, ...] = ()
    ) -> Callable[[], None]:
        """Return a job that writes the files of an image, in this or another process.

        Scores come first, so where a label exists, its scores do. Labels in `kept` stay unchanged.
        """
        classes = maps.classes.cpu().numpy()
        # Functions instead of methods, or the stamps of all images would travel with every job.
        scores = [
            partial(
                write_scores,
                self._score_path(name, img_id),
                grid_means(maps.scores[name], stride).cpu().numpy(),
                classes,
                self._score_stamp(name, img_id),
                stride=stride,
                size=size_of(maps.scores[name]),
            )
            for name, stride in self.scores_of.items()
        ]
        labels = {
            self._label_path(name, img_id): label
            for name, label in maps.labels.items()
            if name not in kept
        }
        return partial(_write, scores, labels, self.palette, self._stamp(img_id))


def _write(
    scores: Sequence[Callable[[], None]],
    labels: dict[Path, np.ndarray],
    palette: list,
    stamp: str,
) -> None:
    for write in scores:
        write()
    for path, label in labels.items():
        write_label(path, label, palette, stamp)
