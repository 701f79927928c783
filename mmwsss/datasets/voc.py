"""PASCAL VOC, or any data in its layout, with tags or boxes as labels."""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

from mmseg.datasets import PascalVOCDataset

from mmwsss.datasets.annotations import read_image_ids
from mmwsss.datasets.true_masks import Others, mask_values
from mmwsss.datasets.weak_labels import ClassIndex, Notes, TagFileLabels, XMLLabels
from mmwsss.datasets.weak_seg_dataset import ReadLabel, WeakSegDataset, check_choice
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError


@DATASETS.register_module()
class VOCWeakDataset(WeakSegDataset):
    """Images with tags or boxes in the layout of PASCAL VOC.

    Entries are those of :class:`WeakSegDataset`. ``data_prefix['seg_map_path']`` names pseudo
    labels for training, or true masks for evaluation.

    The first class is the background; the others are the foreground classes 0..K-1. A subset of
    the data set's class names selects classes: objects of other classes are left out and count as
    background. Any other names describe your own data.

    Whatever the names, value i of a true mask is the i-th class. Masks with other classes, such as
    masks of all VOC classes for a subset, need ``mask_classes``. Their entries then have
    ``mask_values``, see :func:`~mmwsss.datasets.true_masks.mask_values`. Pseudo labels are never
    mapped.

    Args:
        ann_file: List of image ids, one per line. May be empty with ``label_file``, whose ids are
            then used.
        supervision: Which weak label to read.
        label_file: JSON ``{image id: [class names or foreground class indices]}`` for ``'tag'``;
            without it, the tags are the classes of the objects in the XML file.
        proportion_file: Foreground proportions of every image in the list, as written by a label
            stage or ``estimate_proportions.py`` (:mod:`mmwsss.structures.proportion_files`).
        missing_annotation: What to do with images that have no XML file or no entry in
            ``label_file``: leave them out with one counted warning (``'skip'``), keep them as
            images without objects (``'empty'``), or stop (``'error'``). An XML file without objects
            always means an image without objects.
        missing_seg_map: Whether an image without a label map or score file raises an error at the
            start (``'error'``) or is left out (``'skip'``).
        mask_classes: Classes of the true masks below ``data_prefix['seg_map_path']`` in the order
            of their values, ``'background'`` included; None if they are those of the data set.
        mask_others: What mask classes that the data set does not have become: ``'background'``,
            like their objects, or ``'ignore'``, 255.
        keep_difficult: Use objects marked ``difficult``, as published box-supervised methods do.
        data_prefix: Folders below ``data_root``: ``img_path`` (default ``JPEGImages``),
            ``ann_path`` (``Annotations``), ``seg_map_path``, ``aux_seg_map_path``,
            ``foreground_score_path``, ``background_score_path``, ``background_mask_path``.
        **base: Options of :class:`mmseg.datasets.BaseSegDataset` (``data_root``, ``metainfo``,
            ``pipeline``, ``test_mode``, ``indices``, ...).

    Raises:
        UserInputError: A path is missing or leaves the data root, a file is unreadable, a class is
            unknown, or no image is left.
    """

    METAINFO = PascalVOCDataset.METAINFO
    own_folders = {'img_path': 'JPEGImages', 'ann_path': 'Annotations'}  # noqa: RUF012

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
        check_choice('missing_annotation', missing_annotation, ('skip', 'empty', 'error'))
        if label_file and supervision != 'tag':
            raise UserInputError(
                f"`label_file` holds image tags: it needs supervision='tag', got {supervision!r}."
            )
        if supervision is None or label_file:
            self.unread_folders = frozenset({'ann_path'})
        self.label_file = label_file
        self.missing_annotation = missing_annotation
        self.mask_classes = mask_classes
        self.mask_others = mask_others
        self.keep_difficult = keep_difficult
        super().__init__(
            ann_file,
            supervision=supervision,
            proportion_file=proportion_file,
            missing_seg_map=missing_seg_map,
            data_prefix=data_prefix,
            **base,
        )

    def _update_palette(self) -> list:
        classes, palette = self._metainfo['classes'], self._metainfo['palette']
        if len(palette) != len(classes) and self._selects_classes:
            colors = dict(zip(self.METAINFO['classes'], self.METAINFO['palette'], strict=True))
            return [colors[name] for name in classes]
        return super()._update_palette()

    @property
    def _selects_classes(self) -> bool:
        """Whether the classes are a subset of this data set's classes, not the user's own."""
        return set(self._metainfo['classes']) <= set(self.METAINFO['classes'])

    @property
    def _source(self) -> str:
        return self.ann_file or self.label_file

    def _images(self, notes: Notes) -> tuple[dict[str, dict], ReadLabel | None]:
        if self.data_root and not os.path.isdir(self.data_root):
            raise UserInputError(
                f'The data root {self.data_root!r} does not exist. Set the environment variable '
                'MMWSSS_DATA to the folder of the data sets, or `data_root` in the config.'
            )
        if not self.ann_file and not self.label_file:
            raise UserInputError('Set `ann_file`, a list of image ids, or `label_file`.')
        read_label = self._label_reader(notes)
        # Without a list, the images are those of the label file.
        ids = read_image_ids(self.ann_file) if self.ann_file else read_label.image_ids  # type: ignore[union-attr]
        self._without_file(ids, 'img_path', self.img_suffix)
        images = {img_id: self._image(img_id) for img_id in ids}
        if read_label is None:
            return images, None
        return images, lambda img_id: read_label(img_id) or self._missing_label(img_id, notes)

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

    def _missing_label(self, img_id: str, notes: Notes) -> dict | None:
        if self.missing_annotation == 'error':
            raise UserInputError(
                f'{self.label_file or self.data_prefix["ann_path"]!r} has no annotation of image '
                f"{img_id!r}. Add it, or leave such images out with missing_annotation='skip'."
            )
        if self.missing_annotation == 'empty':
            notes.add('images without an annotation count as images without objects', img_id)
            return {'instances' if self.supervision == 'box' else 'gt_label': []}
        notes.add('images without an annotation are left out', img_id)
        return None

    def _image(self, img_id: str) -> dict:
        image: dict = {
            'img_path': os.path.join(self.data_prefix['img_path'], img_id + self.img_suffix)
        }
        if self._mask_values is not None:
            image['mask_values'] = self._mask_values
        return image

    @cached_property
    def _mask_values(self) -> dict[int, int] | None:
        """Labels of the values of true masks, if they differ from those of the data set."""
        if self.mask_classes is None or 'seg_map_path' not in self.data_prefix:
            return None
        classes = self._metainfo['classes']
        return mask_values(self.mask_classes, classes, others=self.mask_others)
