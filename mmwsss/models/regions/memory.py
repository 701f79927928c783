"""Memory of the region embeddings of each class.

Legend: K classes, M slots per class, C channels, R regions of a step over all processes, r
momentum.

Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
Segmentation", CVPR 2022, section 3.2, pseudo-region memory bank.
"""

import logging
import zlib
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, get_world_size
from mmengine.logging import print_log
from torch import Tensor, nn

from mmwsss.models.regions.slots import blend_into_slots_, ring_slots
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError


@MODELS.register_module()
class RegionMemory(nn.Module):
    """Embeddings of regions seen in training, in M slots per class, updated with momentum.

    The first embedding of a slot is stored unchanged, later ones by ``m <- r m + (1 - r) f``.
    ``filled`` marks the slots that hold an embedding; the others are 0. The buffers, which
    checkpoints include, are ``slots`` (K, M, C) float32, ``filled`` bool (K, M), ``cursor`` int64
    (K,), the next slot of ``'ring'``, and ``entries_key``, which shows whether the ``'image'``
    slots of a checkpoint are different ones.

    - ``entry='ring'``: a region goes to the next slot of its class, as in the published code. For
      VOC 2012 with 512 channels and 500 slots this takes 20 MB, whatever the number of images.
    - ``entry='image'``: every image has its own slots for its classes, as in the paper. For the
      10582 images of VOC 2012 they are 20 x 4087 x 512 numbers, or 167 MB, which every checkpoint
      includes. With r = 0.99, three quarters of a slot are still the image's first embedding after
      30 epochs. It needs the hook ``RegionEntriesHook`` and at least as many ``slots`` as the most
      frequent class has images.

    The ring is the default because it works for any data set without knowing its images.

    Args:
        num_classes: K.
        channels: C.
        slots: M.
        momentum: r, at least 0 and below 1.
        entry: Which slot stores a region.
        score_threshold: Class probability above which a region is stored.
        official: Slots start as standard normal noise that counts as filled, as in the published
            code, where most of it remains after 30 epochs. Only with ``'ring'``. ``RegionContrast``
            then also pools what it stores as that code does, see
            :func:`~mmwsss.models.regions.slots.intersected_regions`.

    Raises:
        ValueError: An option is out of range, or ``official`` is set without ``'ring'``.

    Source: Zhou et al., CVPR 2022, section 3.2. Differs from the published code: slots may be
        empty, there is ``'image'``, non-finite embeddings are left out, and the embeddings of all
        processes count.
    """

    slots: Tensor
    filled: Tensor
    cursor: Tensor
    entries_key: Tensor
    entry_table: Tensor

    def __init__(
        self,
        num_classes: int,
        channels: int,
        *,
        slots: int = 500,
        momentum: float = 0.99,
        entry: Literal['ring', 'image'] = 'ring',
        score_threshold: float = 0.7,
        official: bool = False,
    ) -> None:
        super().__init__()
        _check_options(slots, momentum, entry, score_threshold, official)
        self.momentum = momentum
        self.entry = entry
        self.score_threshold = score_threshold
        self.official = official
        start = torch.randn if official else torch.zeros
        self.register_buffer('slots', start(num_classes, slots, channels))
        self.register_buffer('filled', torch.full((num_classes, slots), official))
        self.register_buffer('cursor', torch.zeros(num_classes, dtype=torch.long))
        self.register_buffer('entries_key', torch.tensor(0))
        # Slot of every image (row) and class, -1 if there is none; the hook sets it in every run.
        empty = torch.empty((0, num_classes), dtype=torch.int32)
        self.register_buffer('entry_table', empty, persistent=False)
        self._image_rows: dict[str, int] = {}

    def admits(self, scores: Tensor) -> Tensor:
        """Tell which regions are confident enough to be stored, bool (R,), given their scores."""
        return scores > self.score_threshold

    @torch.no_grad()
    def write(
        self,
        embeddings: Tensor,
        classes: Tensor,
        gate: Tensor,
        img_ids: Sequence[str],
        *,
        batch_size: int,
    ) -> None:
        """Store the regions of a step from all processes, in the order of processes and regions.

        All processes must call this in every step, even without a region. Nothing waits for the
        device. The buffers change in place, so do not keep ``slots`` itself for a backward pass.

        Args:
            embeddings: f, (R, C), of any floating type; no gradient is kept.
            classes: Class 0..K-1 of every region, int64 (R,), on the device of the embeddings.
            gate: Whether to store each embedding, bool (R,). Non-finite ones are never stored.
            img_ids: Image of every region, R names; only used with ``entry='image'``.
            batch_size: Number of images in this process, the same in all processes. The rows are
                padded to the maximum, ``batch_size`` K, so that no counts have to be exchanged.

        Raises:
            UserInputError: With ``entry='image'`` there is no table yet, or it lacks this image.
        """
        embeddings = embeddings.detach().to(self.slots.dtype)
        gate = gate & embeddings.isfinite().all(dim=1)
        embeddings = embeddings.where(gate.unsqueeze(1), 0.0)
        if self.entry == 'image':
            slot = self._entries(img_ids, classes)
            gate = gate & (slot >= 0)
        else:
            slot = torch.zeros_like(classes)
        embeddings, classes, slot, gate = _gather(
            embeddings, classes, slot, gate, most_rows=batch_size * len(self.slots)
        )
        num_slots = self.slots.shape[1]
        if self.entry == 'ring':
            slot = ring_slots(classes, gate, self.cursor, num_slots=num_slots)
            self.cursor.index_add_(0, classes, gate.long()).remainder_(num_slots)
        index = classes * num_slots + slot.clamp_min(0)
        blend_into_slots_(self.slots, self.filled, embeddings, index, gate, momentum=self.momentum)

    def _entries(self, img_ids: Sequence[str], classes: Tensor) -> Tensor:
        """Slots of images and classes in the table, (R,); -1 for classes that an image lacks."""
        if not self._image_rows:
            raise UserInputError(
                "RegionMemory: entry='image' needs the list of images, but none was given. Add "
                "dict(type='RegionEntriesHook') to `custom_hooks`, or set `entry` to 'ring'."
            )
        unknown = [img_id for img_id in img_ids if img_id not in self._image_rows]
        if unknown:
            raise UserInputError(
                f'RegionMemory: image {unknown[0]!r} is not in the table of images, '
                f'{len(self._image_rows)} in all. Train on the data set that RegionEntriesHook '
                "reads, `train_dataloader.dataset`, or set `entry` to 'ring'."
            )
        rows = torch.tensor([self._image_rows[img_id] for img_id in img_ids], dtype=torch.long)
        rows = rows.to(classes.device, non_blocking=True)
        return self.entry_table[rows, classes].long()

    def set_entries(self, entries: dict[str, dict[int, int]]) -> None:
        """Say which slots belong to which image, for ``entry='image'``.

        A memory that a checkpoint restored from other entries starts anew, with a warning.

        Args:
            entries: Slot of each class of each image, ``{img_id: {class: slot}}``.

        Raises:
            UserInputError: There are no images, more classes than K, or more entries than slots.
        """
        _check_entries(entries, self.slots.shape)
        images = list(entries)
        table = torch.full((len(images), len(self.slots)), -1, dtype=torch.int32)
        places = [(row, c, slot) for row, i in enumerate(images) for c, slot in entries[i].items()]
        if places:
            row, label, slot = torch.tensor(places).unbind(1)
            table[row, label] = slot.int()
        self.entry_table = table.to(self.slots.device)
        self._image_rows = {img_id: row for row, img_id in enumerate(images)}
        key = zlib.crc32(repr(sorted((i, sorted(entries[i].items())) for i in images)).encode())
        if self.filled.any() and self.entries_key != key:
            print_log(
                'RegionMemory: the regions in the checkpoint belong to other images or labels '
                'than those of the data set; the memory starts empty.',
                'current',
                logging.WARNING,
            )
            self.slots.zero_()
            self.filled.zero_()
        self.entries_key.fill_(key)


def _gather(
    embeddings: Tensor, classes: Tensor, slot: Tensor, gate: Tensor, *, most_rows: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Regions of all processes, one process after the other; padding rows are gated out."""
    if get_world_size() == 1:
        return embeddings, classes, slot, gate
    # One exchange; float32 holds the integers exactly.
    indices = torch.stack([classes, slot, gate], dim=1).to(embeddings)
    packed = F.pad(torch.cat([indices, embeddings], dim=1), (0, 0, 0, most_rows - len(classes)))
    packed = torch.cat(all_gather(packed))
    classes, slot, gate = packed[:, :3].long().unbind(1)
    return packed[:, 3:], classes, slot, gate.bool()


def _check_options(
    slots: int, momentum: float, entry: str, score_threshold: float, official: bool
) -> None:
    if slots < 1:
        raise ValueError(f'Expected `slots` to be at least 1, got {slots}.')
    if not 0 <= momentum < 1:
        raise ValueError(f'Expected `momentum` to be at least 0 and below 1, got {momentum}.')
    if entry not in ('ring', 'image'):
        raise ValueError(f"Expected `entry` to be 'ring' or 'image', got {entry!r}.")
    if not 0 <= score_threshold < 1:
        raise ValueError(
            f'Expected `score_threshold` to be at least 0 and below 1, got {score_threshold}. It '
            'is the probability above which a region is written to the memory.'
        )
    if official and entry != 'ring':
        raise ValueError(f"`official` needs entry='ring', got {entry!r}. Leave one of them out.")


def _check_entries(entries: dict[str, dict[int, int]], shape: torch.Size) -> None:
    num_classes, num_slots, channels = shape
    if not entries:
        raise UserInputError(
            'RegionMemory: the table of entries has no images. Check the data set.'
        )
    places = [place for own in entries.values() for place in own.items()]
    largest, label = max(((slot, label) for label, slot in places), default=(-1, -1))
    highest = max((label for label, _ in places), default=-1)
    if highest >= num_classes:
        raise UserInputError(
            f'RegionMemory: the data set has class {highest}, but `num_classes` is {num_classes}. '
            'Set it to the number of foreground classes.'
        )
    if largest >= num_slots:
        size = num_classes * (largest + 1) * channels * 4 / 1e6
        raise UserInputError(
            f'RegionMemory: class {label} is in {largest + 1} images, but `slots` is {num_slots}. '
            f"Set `slots` to {largest + 1} ({size:.0f} MB), or `entry` to 'ring'."
        )
