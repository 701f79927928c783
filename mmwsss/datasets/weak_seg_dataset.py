"""The base of all data sets with weak labels: their entries, and the files made from images."""

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from mmseg.datasets import BaseSegDataset

from mmwsss.datasets.palette import class_colors
from mmwsss.datasets.weak_labels import Notes, add_proportions
from mmwsss.structures import (
    StagePlan,
    UserInputError,
    WeakDataset,
    check_class_count,
    deleted_scores,
)

# Returns the weak label of an image, or None if it has none.
ReadLabel = Callable[[str], dict | None]
# Names in messages of the files made from the images, and of true masks.
_MADE = {
    'seg_map_path': 'label maps',
    'aux_seg_map_path': 'label maps',
    'foreground_score_path': 'score files',
    'background_score_path': 'score files',
    'background_mask_path': 'background masks',
}
_SUFFIXES = {'score files': '.npz', 'background masks': '.png'}
_REMEDIES = {
    'background masks': ', complete the folder',
    'label maps': ', rerun the stage that makes them (it makes only what is missing)',
    'score files': ', rerun the stage that makes them (it makes only what is missing)',
}


class WeakSegDataset(BaseSegDataset, WeakDataset):
    """Images with weak labels, and with label maps only in the stages that may see them.

    An entry of the data list has ``img_path``, ``img_id``, ``num_classes`` (K foreground classes)
    and, depending on ``supervision``,

    - ``'box'``: ``instances``, a list of ``{'bbox': [x1, y1, x2, y2], 'bbox_label': 0..K-1}`` in
      the order of the annotation;
    - ``'tag'``: ``gt_label``, the sorted present classes 0..K-1;
    - ``None``: nothing more, for stages that learn only from label maps.

    Options add further keys:

    - ``data_prefix['seg_map_path']``: ``seg_map_path``, pseudo labels for training;
    - ``data_prefix['aux_seg_map_path']``: ``aux_seg_map_path``, a second pseudo label;
    - ``data_prefix['foreground_score_path']`` and ``['background_score_path']``: the score files of
      the same names, for :class:`~mmwsss.datasets.transforms.LoadConfidentScores`;
    - ``data_prefix['background_mask_path']``: ``background_mask_path``, a mask that replaces the
      one made from the boxes;
    - ``proportion_file``: ``proportions``, the share of the pixels of each class, (K,).

    The first class is the background; the others are the foreground classes 0..K-1.

    Args:
        ann_file: As in :class:`mmseg.datasets.BaseSegDataset`.
        supervision: Which weak label to read.
        proportion_file: Foreground proportions of every image in the list, as written by a label
            stage or ``estimate_proportions.py`` (:mod:`mmwsss.structures.proportion_files`).
        missing_seg_map: Whether an image without a label map or score file raises an error at the
            start (``'error'``) or is left out (``'skip'``).
        data_prefix: Folders below ``data_root``: ``seg_map_path``, ``aux_seg_map_path``,
            ``foreground_score_path``, ``background_score_path``, ``background_mask_path``, and
            those of the class.
        **base: Options of :class:`mmseg.datasets.BaseSegDataset` (``pipeline``, ``test_mode``,
            ``indices``, ...).
    """

    own_folders: Mapping[str, str] = {}
    """Additional keys of ``data_prefix`` that the class reads, with their defaults."""

    def __init__(
        self,
        ann_file: str,
        *,
        supervision: Literal['box', 'tag'] | None,
        proportion_file: str,
        missing_seg_map: Literal['skip', 'error'],
        data_prefix: dict[str, str] | None,
        **base: Any,  # the sixteen options of the library's class, which names them all
    ) -> None:
        check_choice('supervision', supervision, ('box', 'tag', None))
        check_choice('missing_seg_map', missing_seg_map, ('skip', 'error'))
        self.supervision = supervision
        self.proportion_file = proportion_file
        self.missing_seg_map = missing_seg_map
        super().__init__(ann_file, data_prefix={**self.own_folders, **(data_prefix or {})}, **base)

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse folders that nothing reads, and a file of proportions that nothing makes."""
        known, place = {*cls.own_folders, *_MADE}, f'{key}.data_prefix.'
        taken = {k.removeprefix(place) for k in stage.taken if k.startswith(place)}
        if unread := sorted({*(options.get('data_prefix') or {}), *taken} - known):
            raise UserInputError(
                f'{place}{unread[0]} is not a folder that {cls.__name__} reads; it reads '
                f'{", ".join(sorted(known))}.'
            )
        file = options.get('proportion_file')
        path = os.path.join(options.get('data_root') or '', file or '')
        if file and f'{key}.proportion_file' not in stage.taken and not os.path.isfile(path):
            what = 'is a folder, expected a file' if os.path.isdir(path) else 'does not exist'
            raise UserInputError(
                f'{key}.proportion_file = {path} {what}. Let the stage take it from a label stage '
                'with `proportions`, or name the file with --cfg-options.'
            )

    @property
    def foreground_classes(self) -> tuple[str, ...]:
        """Names of the foreground classes 0..K-1."""
        return tuple(self._metainfo['classes'][1:])

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> None:
        """Return no map: the data set states the encoding of true masks, whatever the names."""
        return None

    def _update_palette(self) -> list:
        classes, palette = self._metainfo['classes'], self._metainfo['palette']
        return palette if len(palette) == len(classes) else class_colors(len(classes))

    @abstractmethod
    def _images(self, notes: Notes) -> tuple[dict[str, dict], ReadLabel | None]:
        """Return the images by id, in order, and the reader of their weak labels.

        The dict of an image, its ``img_path`` and whatever else the class knows, goes into its
        entry.
        """

    @property
    def _source(self) -> str:
        """Path of the file that lists the images."""
        return self.ann_file

    def load_data_list(self) -> list[dict]:
        """List the images with their labels, after checking that all files exist."""
        self._check_setup()
        notes = Notes()
        images, read_label = self._images(notes)
        lacking = {}
        for prefix, suffix in self._made.items():
            absent = self._without_file(list(images), prefix, suffix)
            lacking.update(dict.fromkeys(absent, _MADE[prefix]))
        entries = []
        for img_id, image in images.items():
            if img_id in lacking:
                notes.add(f'images without {lacking[img_id]} are left out', img_id)
                continue
            label = {} if read_label is None else read_label(img_id)
            if label is not None:
                entries.append({**self._entry(img_id), **image, **label})
        notes.log()
        if not entries:
            raise UserInputError(
                f'No image of {self._source!r} has a label. Check that images and labels match.'
            )
        if self.proportion_file:
            path = os.path.join(self.data_root or '', self.proportion_file)
            add_proportions(entries, path, self.foreground_classes)
        return entries

    def _check_setup(self) -> None:
        if 'background_mask_path' in self.data_prefix and self.supervision != 'box':
            raise UserInputError(
                '`data_prefix.background_mask_path` is only used with boxes: it needs '
                f"supervision='box', got {self.supervision!r}."
            )
        classes = self._metainfo['classes']
        if len(classes) < 2 or classes[0] != 'background':
            raise UserInputError(
                "Expected `metainfo['classes']` to be 'background' and at least one foreground "
                f'class, got {classes}.'
            )
        check_class_count(classes)

    @property
    def _made(self) -> dict[str, str]:
        """Suffix of the files below each folder of label maps and scores."""
        suffixes = {'label maps': self.seg_map_suffix, **_SUFFIXES}
        return {prefix: suffixes[_MADE[prefix]] for prefix in _MADE if prefix in self.data_prefix}

    def _without_file(self, ids: list[str], prefix: str, suffix: str) -> set[str]:
        """Return the ids without a file, if they may be left out."""
        folder = self.data_prefix[prefix]
        present = _files_below(folder, {os.path.dirname(img_id) for img_id in ids})
        lacking = [img_id for img_id in ids if img_id + suffix not in present]
        if lacking and (prefix not in _MADE or self.missing_seg_map == 'error'):
            kind, remedy = _MADE.get(prefix, 'images'), ''
            if prefix in _MADE:
                remedy = f"{_REMEDIES[kind]}, or leave such images out with missing_seg_map='skip'"
            raise UserInputError(
                f'{folder!r} lacks {len(lacking)} of {len(ids)} {kind}, the first is '
                f'{lacking[0] + suffix!r}. Check `data_root`, `data_prefix.{prefix}` and the list '
                f'of images{remedy}.'
            )
        return set(lacking)

    def _entry(self, img_id: str) -> dict:
        entry = {
            'img_id': img_id,
            'num_classes': len(self.foreground_classes),
            'label_map': None,  # expected by transforms of MMSegmentation
            'reduce_zero_label': self.reduce_zero_label,
            'seg_fields': [],
        }
        for prefix, suffix in self._made.items():
            entry[prefix] = os.path.join(self.data_prefix[prefix], img_id + suffix)
        return entry


def check_choice(option: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    """Refuse a value of an option that is not one of its choices.

    Raises:
        UserInputError: If it is not one of the choices.
    """
    if value not in choices:
        raise UserInputError(f'Expected `{option}` to be one of {choices}, got {value!r}.')


def _files_below(folder: str, subfolders: set[str]) -> set[str]:
    """Names below ``folder``, from one listing per subfolder instead of one look-up per image."""
    # Files deleted on purpose are made again before a stage reads them.
    names: set[str] = set(deleted_scores(folder))
    for subfolder in subfolders:
        path = os.path.join(folder, subfolder)
        if os.path.isdir(path):
            names.update(os.path.join(subfolder, name) for name in os.listdir(path))
    return names
