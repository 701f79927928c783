"""A user's own data, located and explained by one description."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from mmwsss.datasets.description import DataDescription, Split
from mmwsss.datasets.label_formats import WeakLabels
from mmwsss.datasets.weak_labels import Notes, box_label, tag_label
from mmwsss.datasets.weak_seg_dataset import ReadLabel, WeakSegDataset, check_choice
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError


@DATASETS.register_module()
class CustomWeakDataset(WeakSegDataset):
    """Images with tags or boxes, described by ``data = dict(root=..., classes=..., labels=...)``.

    Entries are those of :class:`WeakSegDataset`. ``data_prefix`` names only files made from the
    images, such as pseudo labels. True masks are part of the description. With ``true_masks``, the
    entry of an image names its mask, and has ``mask_values`` if the masks have other classes.

    Args:
        data: The description; see :meth:`DataDescription.from_dict`.
        split: Training or validation images.
        supervision: Which weak label to read. Boxes also serve as tags. Images without a label are
            left out with one counted warning.
        proportion_file: As in :class:`WeakSegDataset`.
        missing_seg_map: As in :class:`WeakSegDataset`. With ``true_masks``, ``'skip'`` leaves out
            images without a true mask; otherwise they are kept without a ``seg_map_path``.
        data_prefix: Folders of files made from the images; see :class:`WeakSegDataset`.
        true_masks: Whether to list the true masks, for evaluation.
        **base: Options of :class:`mmseg.datasets.BaseSegDataset` (``pipeline``, ``test_mode``,
            ``indices``, ...).

    Raises:
        UserInputError: The description is wrong, a file is missing or unreadable, boxes are needed
            but the labels are tags, or no image is left.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        split: Split = 'train',
        *,
        supervision: Literal['box', 'tag'] | None = 'tag',
        proportion_file: str = '',
        missing_seg_map: Literal['skip', 'error'] = 'error',
        data_prefix: dict[str, str] | None = None,
        true_masks: bool = False,
        **base: Any,  # the sixteen options of the library's class, which names them all
    ) -> None:
        check_choice('split', split, ('train', 'val'))
        if true_masks and 'seg_map_path' in (data_prefix or {}):
            raise UserInputError(
                '`true_masks` and `data_prefix.seg_map_path` both name the label maps of an image. '
                'Leave one out.'
            )
        self.data = data
        self.split = split
        self.true_masks = true_masks
        description = DataDescription.from_dict(data)
        super().__init__(
            data.get(split) or data['labels'],
            supervision=supervision,
            proportion_file=proportion_file,
            missing_seg_map=missing_seg_map,
            data_prefix=data_prefix,
            metainfo=description.metainfo,
            data_root=description.root,
            **base,
        )

    def _images(self, notes: Notes) -> tuple[dict[str, dict], ReadLabel | None]:
        # Not kept, because every worker of a data loader would hold a copy of what it reads.
        description = DataDescription.from_dict(self.data)
        ids = description.split(self.split)
        images = {img_id: {'img_path': description.image_files[img_id]} for img_id in ids}
        if self.true_masks:
            images = self._with_masks(images, description, notes)
        if self.supervision is None:
            return images, None
        labels = description.labels()
        if self.supervision == 'box' and not labels.has_boxes:
            raise UserInputError(
                f'{description.label_path} has tags, but boxes are needed. Provide boxes as '
                '`labels` of the data, or use a config that learns from tags.'
            )
        index = {name: i for i, name in enumerate(self.foreground_classes)}
        return images, partial(self._read_label, labels, index, notes)

    def _with_masks(
        self, images: dict[str, dict], description: DataDescription, notes: Notes
    ) -> dict[str, dict]:
        """Add the true masks; leave out images without one if they are to be skipped."""
        values = description.mask_values
        encoding = {} if values is None else {'mask_values': values}
        found = {}
        for img_id, entry in images.items():
            if path := description.true_mask(img_id):
                found[img_id] = {**entry, 'seg_map_path': path, **encoding}
            elif self.missing_seg_map == 'skip':
                notes.add('images without a true mask are left out', img_id)
            else:
                found[img_id] = entry
        return found

    def _read_label(
        self, labels: WeakLabels, index: Mapping[str, int], notes: Notes, img_id: str
    ) -> dict | None:
        found = labels.objects.get(img_id)
        if found is None:
            notes.add('images without a label are left out', img_id)
            return None
        objects = [(entry, index[entry.name]) for entry in found]
        if self.supervision == 'tag':
            return tag_label(objects)
        if any(entry.box is None for entry in found):
            note = 'images have objects without a box, such as crowds, which count as background'
            notes.add(note, img_id)
        return box_label(objects, img_id, shape=None, notes=notes)
