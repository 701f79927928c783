"""Where the labels of a split lie, and which of them are there already."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mmwsss.engine.loops.label_files import is_valid_label, write_label
from mmwsss.pseudo_labels import LabelMaps
from mmwsss.structures import is_valid_scores, write_scores


@dataclass(frozen=True)
class LabelStore:
    """Files of all label maps below one folder, and of the scores behind some of them.

    Attributes:
        folder: Label maps are ``<folder>/<name>/<img_id>.png``, scores
            ``<folder>/<name>_scores/<img_id>.npz`` (:mod:`mmwsss.structures.score_files`).
        names: Names of the labels.
        scores_of: Names of the labels whose scores are kept.
        palette: RGB colour of each label 0..K, values 0..255.
        stamp: Fingerprint of the settings that make the labels.
    """

    folder: Path
    names: tuple[str, ...]
    scores_of: tuple[str, ...]
    palette: list
    stamp: str

    @property
    def label_folders(self) -> dict[str, str]:
        """Folder of the label maps by label name."""
        return {name: str(self.folder / name) for name in self.names}

    @property
    def score_folders(self) -> dict[str, str]:
        """Folder of the scores by ``<label name>_scores``."""
        return {f'{name}_scores': str(self.folder / f'{name}_scores') for name in self.scores_of}

    def _label_path(self, name: str, img_id: str) -> Path:
        return self.folder / name / f'{img_id}.png'

    def _score_path(self, name: str, img_id: str) -> Path:
        return self.folder / f'{name}_scores' / f'{img_id}.npz'

    def is_done(self, img_id: str) -> bool:
        """Say whether all files of an image are there, complete and made by the same settings."""
        return all(
            is_valid_label(self._label_path(name, img_id), self.stamp) for name in self.names
        ) and all(
            is_valid_scores(self._score_path(name, img_id), self.stamp) for name in self.scores_of
        )

    def writing(self, img_id: str, maps: LabelMaps) -> Callable[[], None]:
        """Return a job, for this or another process, that writes the files of an image.

        Scores come first: where a label is, its scores are.
        """
        scores = {name: maps.scores[name].cpu().numpy() for name in self.scores_of}
        return partial(self._write, img_id, maps.labels, scores, maps.classes.cpu().numpy())

    def _write(
        self,
        img_id: str,
        labels: dict[str, np.ndarray],
        scores: dict[str, np.ndarray],
        classes: np.ndarray,
    ) -> None:
        for name, stack in scores.items():
            write_scores(self._score_path(name, img_id), stack, classes, self.stamp)
        for name, label in labels.items():
            write_label(self._label_path(name, img_id), label, self.palette, self.stamp)
