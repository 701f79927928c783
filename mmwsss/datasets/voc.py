"""PASCAL VOC, or any data in its layout, with tags or boxes as labels."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from mmseg.datasets import BaseSegDataset, PascalVOCDataset

from mmwsss.datasets.annotations import read_image_ids
from mmwsss.datasets.palette import class_colors
from mmwsss.datasets.true_masks import Others, mask_values
from mmwsss.datasets.weak_labels import (
    ClassIndex,
    Notes,
    TagFileLabels,
    XMLLabels,
    add_proportions,
)
from mmwsss.registry import DATASETS
from mmwsss.structures import StagePlan, UserInputError, WeakDataset, check_class_count

_FOLDERS = {'img_path': 'JPEGImages', 'ann_path': 'Annotations'}
# Files made from the images, or true masks, and what they are called in messages.
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
    'label maps': ', run the stage that makes them again (it makes only what is missing)',
    'score files': ', run the stage that makes them again (it makes only what is missing)',
}


@DATASETS.register_module()
class VOCWeakDataset(BaseSegDataset, WeakDataset):
    """Images with weak labels, and label maps only where a stage may see them.

    An entry of the data list has ``img_path``, ``img_id``, ``num_classes`` (K foreground classes)
    and, by ``supervision``,

    - ``'box'``: ``instances``, a list of ``{'bbox': [x1, y1, x2, y2], 'bbox_label': 0..K-1}`` in
      the order of the XML file;
    - ``'tag'``: ``gt_label``, the sorted present classes 0..K-1;
    - ``None``: nothing more, for stages that learn from label maps alone.

    With ``data_prefix['seg_map_path']`` it has ``seg_map_path``: pseudo labels for training, true
    masks for evaluation. ``data_prefix['aux_seg_map_path']`` adds ``aux_seg_map_path``, a second
    pseudo label. ``data_prefix['foreground_score_path']`` and ``['background_score_path']`` add the
    score files of the same names, for :class:`~mmwsss.datasets.transforms.LoadConfidentScores`.
    ``data_prefix['background_mask_path']`` adds ``background_mask_path``, a mask to use with the
    boxes instead of the one that is made from them.
    With ``proportion_file`` it has ``proportions``, the share of the pixels of each class, (K,).

    The first class is the background; the others are the foreground classes 0..K-1. A subset of
    the data set's class names selects classes: objects of the others are left out, so they count as
    background. Other names describe your own data.

    Whatever the names, value i of a true mask is the i-th class. Masks of other classes, such as
    all of VOC where some are selected, need ``mask_classes``: their entries have ``mask_values``,
    see :func:`~mmwsss.datasets.true_masks.mask_values`. Pseudo labels are never mapped.

    Args:
        ann_file: List of image ids, one per line. May be empty with ``label_file``: then the ids
            are those of the label file.
        supervision: Which weak label to read.
        label_file: JSON ``{image id: [class names or foreground class indices]}`` for ``'tag'``;
            without it the tags are the classes of the objects in the XML file.
        proportion_file: Foreground proportions of every image of the list, as a label stage or
            ``estimate_proportions.py`` writes them (:mod:`mmwsss.structures.proportion_files`).
        missing_annotation: What to do with images that have no XML file or no entry in
            ``label_file``: leave them out with one counted warning, keep them as images without
            any object, or stop. An XML file without objects is an image without objects.
        missing_seg_map: Whether images without a label map or score file stop the start or are left
            out.
        mask_classes: Classes of the true masks below ``data_prefix['seg_map_path']`` in the order
            of their values, ``'background'`` among them; None where they are those of the data set.
        mask_others: What the classes of the masks become that the data set does not have:
            ``'background'``, as their objects do, or ``'ignore'``, 255.
        keep_difficult: Use objects marked ``difficult``, as published box-supervised methods do.
        data_prefix: Folders below ``data_root``: ``img_path`` (default ``JPEGImages``),
            ``ann_path`` (``Annotations``), ``seg_map_path``, ``aux_seg_map_path``,
            ``foreground_score_path``, ``background_score_path``, ``background_mask_path``.
        **base: Options of :class:`mmseg.datasets.BaseSegDataset` (``data_root``, ``metainfo``,
            ``pipeline``, ``test_mode``, ``indices``, ...).

    Raises:
        UserInputError: A path is missing or leaves the data root, a file cannot be read, a class
            is unknown, or no image is left.
    """

    METAINFO = PascalVOCDataset.METAINFO

    def __init__(
        self,
        ann_file: str = '',
        *,
        supervision: Literal['box', 'tag'] | None = 'box',
        label_file: str = '',
        proportion_file: str = '',
        missing_annotation: Literal['skip', 'empty', 'error'] = 'skip',
        missing_seg_map: Literal['skip', 'error'] = 'error',
        mask_classes: Sequence[str] | None = None,
        mask_others: Others = 'background',
        keep_difficult: bool = True,
        data_prefix: dict[str, str] | None = None,
        **base: Any,  # the sixteen options of the library's class, which names them all
    ) -> None:
        _check_choice('supervision', supervision, ('box', 'tag', None))
        _check_choice('missing_annotation', missing_annotation, ('skip', 'empty', 'error'))
        _check_choice('missing_seg_map', missing_seg_map, ('skip', 'error'))
        if label_file and supervision != 'tag':
            raise UserInputError(
                f"`label_file` holds image tags: it needs supervision='tag', got {supervision!r}."
            )
        self.supervision = supervision
        if supervision is None or label_file:
            self.unread_folders = frozenset({'ann_path'})
        self.label_file = label_file
        self.proportion_file = proportion_file
        self.missing_annotation = missing_annotation
        self.missing_seg_map = missing_seg_map
        self.mask_classes = mask_classes
        self.mask_others = mask_others
        self.keep_difficult = keep_difficult
        super().__init__(ann_file, data_prefix={**_FOLDERS, **(data_prefix or {})}, **base)

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse folders that nothing reads, and a file of proportions that nobody makes."""
        known, place = {*_FOLDERS, *_MADE}, f'{key}.data_prefix.'
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
                'with proportions, or name the file with --cfg-options.'
            )

    @property
    def foreground_classes(self) -> tuple[str, ...]:
        """Names of the foreground classes 0..K-1."""
        return tuple(self._metainfo['classes'][1:])

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> None:
        """Give no map: ``mask_classes`` says how true masks are encoded, whatever the names."""
        return None

    def _update_palette(self) -> list:
        classes, palette = self._metainfo['classes'], self._metainfo['palette']
        if len(palette) == len(classes):
            return palette
        if self._selects_classes:
            colors = dict(zip(self.METAINFO['classes'], self.METAINFO['palette'], strict=True))
            return [colors[name] for name in classes]
        return class_colors(len(classes))

    @property
    def _selects_classes(self) -> bool:
        """Whether the classes are a part of those of the class, or own ones."""
        return set(self._metainfo['classes']) <= set(self.METAINFO['classes'])

    def load_data_list(self) -> list[dict]:
        """List the images with their labels, after checking that all files are there."""
        self._check_setup()
        notes = Notes()
        read_label = self._label_reader(notes)
        # Without a list there is a label file, which names its images.
        ids = read_image_ids(self.ann_file) if self.ann_file else read_label.image_ids  # type: ignore[union-attr]
        self._without_file(ids, 'img_path', self.img_suffix)
        lacking = {}
        for prefix, suffix in self._made.items():
            absent = self._without_file(ids, prefix, suffix)
            lacking.update(dict.fromkeys(absent, _MADE[prefix]))
        entries = []
        for img_id in ids:
            if img_id in lacking:
                notes.add(f'images without {lacking[img_id]} are left out', img_id)
                continue
            label = {} if read_label is None else read_label(img_id)
            if label is None:
                label = self._missing_label(img_id, notes)
            if label is not None:
                entries.append({**self._entry(img_id), **label})
        notes.log()
        if not entries:
            raise UserInputError(f'No image of {self.ann_file or self.label_file!r} has a label.')
        if self.proportion_file:
            path = os.path.join(self.data_root or '', self.proportion_file)
            add_proportions(entries, path, self.foreground_classes)
        return entries

    def _check_setup(self) -> None:
        if 'background_mask_path' in self.data_prefix and self.supervision != 'box':
            raise UserInputError(
                '`data_prefix.background_mask_path` goes with boxes: it needs '
                f"supervision='box', got {self.supervision!r}."
            )
        classes = self._metainfo['classes']
        if len(classes) < 2 or classes[0] != 'background':
            raise UserInputError(
                "Expected `metainfo['classes']` to be 'background' and at least one foreground "
                f'class, got {classes}.'
            )
        check_class_count(classes)
        if self.data_root and not os.path.isdir(self.data_root):
            raise UserInputError(
                f'The data root {self.data_root!r} does not exist. Set the environment variable '
                'MMWSSS_DATA to the folder of the data sets, or `data_root` in the config.'
            )
        if not self.ann_file and not self.label_file:
            raise UserInputError('Give `ann_file`, a list of image ids, or `label_file`.')

    def _label_reader(self, notes: Notes) -> XMLLabels | TagFileLabels | None:
        if self.supervision is None:
            return None
        known = self.METAINFO['classes'][1:] if self._selects_classes else self.foreground_classes
        class_index = ClassIndex(self.foreground_classes, known)
        if self.label_file:
            label_file = os.path.join(self.data_root or '', self.label_file)
            return TagFileLabels(label_file, class_index, notes=notes)
        return XMLLabels(
            self.data_prefix['ann_path'],
            class_index,
            kind=self.supervision,
            keep_difficult=self.keep_difficult,
            notes=notes,
        )

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
                remedy = f"{_REMEDIES[kind]}, or leave such images out by missing_seg_map='skip'"
            raise UserInputError(
                f'{folder!r} lacks {len(lacking)} of {len(ids)} {kind}, the first is '
                f'{lacking[0] + suffix!r}. Check `data_root`, `data_prefix.{prefix}` and the list '
                f'of images{remedy}.'
            )
        return set(lacking)

    def _missing_label(self, img_id: str, notes: Notes) -> dict | None:
        if self.missing_annotation == 'error':
            raise UserInputError(
                f'{self.label_file or self.data_prefix["ann_path"]!r} has no annotation of image '
                f"{img_id!r}. Add it, or leave such images out by missing_annotation='skip'."
            )
        if self.missing_annotation == 'empty':
            notes.add('images without an annotation count as images without objects', img_id)
            return {'instances' if self.supervision == 'box' else 'gt_label': []}
        notes.add('images without an annotation are left out', img_id)
        return None

    def _entry(self, img_id: str) -> dict:
        entry = {
            'img_path': os.path.join(self.data_prefix['img_path'], img_id + self.img_suffix),
            'img_id': img_id,
            'num_classes': len(self.foreground_classes),
            'label_map': None,  # for transforms of MMSegmentation
            'reduce_zero_label': self.reduce_zero_label,
            'seg_fields': [],
        }
        for prefix, suffix in self._made.items():
            entry[prefix] = os.path.join(self.data_prefix[prefix], img_id + suffix)
        if self._mask_values is not None:
            entry['mask_values'] = self._mask_values
        return entry

    @cached_property
    def _mask_values(self) -> dict[int, int] | None:
        """Meaning of the values of true masks, if they are not those of the data set."""
        if self.mask_classes is None or 'seg_map_path' not in self.data_prefix:
            return None
        classes = self._metainfo['classes']
        return mask_values(self.mask_classes, classes, others=self.mask_others)


def _files_below(folder: str, subfolders: set[str]) -> set[str]:
    """Names below ``folder``: one listing a subfolder instead of one look-up an image."""
    names: set[str] = set()
    for subfolder in subfolders:
        path = os.path.join(folder, subfolder)
        if os.path.isdir(path):
            names.update(os.path.join(subfolder, name) for name in os.listdir(path))
    return names


def _check_choice(option: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        raise UserInputError(f'Expected `{option}` to be one of {choices}, got {value!r}.')
