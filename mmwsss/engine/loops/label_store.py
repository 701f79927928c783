"""Where the labels of a split lie, and which of them are there already."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mmwsss.engine.loops.label_files import fingerprint, is_valid_label, write_label
from mmwsss.pseudo_labels import LabelMaps
from mmwsss.structures import is_valid_scores, write_scores


def label_stamps(infos: list[dict]) -> dict[str, str]:
    """Fingerprint of the tags or boxes of each image, by image id, from entries of a data set."""
    return {
        info['img_id']: fingerprint([info.get('gt_label'), info.get('instances')]) for info in infos
    }


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
        label_stamps: Fingerprint of each image's own weak label, by image id. Its files carry both,
            ``<stamp>-<label stamp>``, so that another tag makes the labels of one image again.
    """

    folder: Path
    names: tuple[str, ...]
    scores_of: tuple[str, ...]
    palette: list
    stamp: str
    label_stamps: dict[str, str]

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

    def _stamp(self, img_id: str) -> str:
        return f'{self.stamp}-{self.label_stamps[img_id]}'

    def is_done(self, img_id: str) -> bool:
        """Say if all files of an image are complete, of the same settings and weak label."""
        stamp = self._stamp(img_id)
        return all(
            is_valid_label(self._label_path(name, img_id), stamp) for name in self.names
        ) and all(is_valid_scores(self._score_path(name, img_id), stamp) for name in self.scores_of)

    def writing(self, img_id: str, maps: LabelMaps) -> Callable[[], None]:
        """Return a job, for this or another process, that writes the files of an image.

        Scores come first: where a label is, its scores are.
        """
        scores = {
            self._score_path(name, img_id): maps.scores[name].cpu().numpy()
            for name in self.scores_of
        }
        labels = {self._label_path(name, img_id): label for name, label in maps.labels.items()}
        classes = maps.classes.cpu().numpy()
        # Not a method: the stamps of all images would travel with every job.
        return partial(_write, scores, classes, labels, self.palette, self._stamp(img_id))


def _write(
    scores: dict[Path, np.ndarray],
    classes: np.ndarray,
    labels: dict[Path, np.ndarray],
    palette: list,
    stamp: str,
) -> None:
    for path, stack in scores.items():
        write_scores(path, stack, classes, stamp)
    for path, label in labels.items():
        write_label(path, label, palette, stamp)
