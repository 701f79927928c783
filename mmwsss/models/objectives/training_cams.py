"""Keeps the class activation maps that a classifier produces while it is trained."""

from collections.abc import Mapping
from typing import Any

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, Encode, Objective, StagePlan, UserInputError, size_of

Entries = Mapping[str, Mapping[int, int]]


def quantize_maps(maps: Tensor, *, eps: float = 1e-8) -> Tensor:
    """Convert maps to bytes, ``round(255 ReLU(m) / (max ReLU(m) + eps))``.

    Args:
        maps: Maps of any sign, (R, h, w).
        eps: Keeps the quotient finite; a map without positive values becomes 0.

    Returns:
        uint8 (R, h, w).
    """
    positive = maps.float().relu()
    peaks = positive.amax(dim=(1, 2), keepdim=True)
    return (255 * (positive / (peaks + eps))).round().to(torch.uint8)


def keep_maximum(
    kept: Tensor, stored: Tensor, entries: Tensor, maps: Tensor, counted: Tensor
) -> None:
    """Raise the entries of a table to the new maps where these are larger, in place.

    Args:
        kept: The table, uint8 (E, h, w), contiguous.
        stored: 1 for entries that hold a map, uint8 (E,).
        entries: Entry of each map, (R,); an entry may occur more than once.
        maps: uint8 (R, h, w).
        counted: Which maps count, bool (R,).
    """
    counted = counted.to(torch.uint8)
    index = entries[:, None].expand(-1, kept[0].numel())
    values = (maps * counted[:, None, None]).flatten(1)
    kept.flatten(1).scatter_reduce_(0, index, values, 'amax')
    stored.scatter_reduce_(0, entries, counted, 'amax')


@MODELS.register_module()
class TrainingCAMs(Objective):
    """Keep, for every image and present class, the maximum of its maps over the training.

    Each map is first divided by its own maximum. It does not count in a step in which the
    probability of its class is below ``min_score``, unless it is the last epoch and there is no map
    yet. There is no loss. Memory: one byte per position, image and class, which is 33 MB for the 10
    582 images of VOC at 46 x 46. Maps of mirrored views are mirrored back. Needs a
    :class:`~mmwsss.engine.hooks.TrainingCAMsHook`, which names the entries, merges those of all
    processes and saves them. ``StartObjectiveHook`` can start it later.

    The maps are not buffers, because a wrapper for several processes may overwrite buffers with
    those of the first process. The hook puts them into checkpoints.

    Args:
        num_classes: K.
        min_score: Minimum probability of the class (the sigmoid of the mean of its map) for its map
            to count.

    Attributes:
        last_epoch: Whether a map counts, whatever its score, if there is none yet. Set by the hook.

    Raises:
        ValueError: If an option is out of range.
        UserInputError: In training, if a view does not show the whole image, differs in size from
            the views before it or is mirrored vertically, or if an image was not announced.

    Shape:
        ``outputs.score_map`` (B, K or 1+K, h, w), the same h and w in every step.

    Source: the published code of Zhou et al., "Regional Semantic Contrast and Aggregation for
        Weakly Supervised Semantic Segmentation", CVPR 2022. The paper takes the maps of the trained
        network. That code identifies maps by their position in the batch, which is only right on
        one process and without shuffling; here images are identified by their id.
    """

    num_classes: int
    stored: Tensor  # uint8 (E,), 1 where there is a map

    def __init__(self, num_classes: int, *, min_score: float = 0.1) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f'num_classes must be at least 1, got {num_classes}.')
        if not 0 <= min_score <= 1:
            raise ValueError(f'min_score must be a probability in [0, 1], got {min_score}.')
        self.num_classes = num_classes
        self.min_score = min_score
        self.last_epoch = False
        self.entries: Entries = {}
        self.maps: Tensor | None = None  # uint8 (E, h, w); h and w are known at the first batch

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse a training stage without the hook that announces images and writes the maps."""
        if stage.task == 'train' and not stage.has_hook('TrainingCAMsHook'):
            raise UserInputError(
                f'{key}: {cls.__name__} keeps maps, but custom_hooks has no TrainingCAMsHook that '
                "announces the images and writes them. Add dict(type='TrainingCAMsHook'), or leave "
                'the objective out.'
            )

    def set_entries(self, entries: Entries) -> None:
        """Announce all images as ``{img_id: {class: entry}}``, with entries numbered 0..E-1."""
        self.entries = entries

    def forward(
        self,
        outputs: CAMOutputs,
        data_samples: list[SegDataSample],
        encode: Encode,
    ) -> dict[str, Tensor]:
        """Keep the maps of a batch; there is no loss."""
        size = size_of(outputs.images)  # type: ignore[arg-type]  # from a classifier
        for sample in data_samples:
            _check_view(sample, size)
        self._record(outputs.score_map.detach()[:, -self.num_classes :], data_samples)
        return {}

    @torch.no_grad()
    def _record(self, score_map: Tensor, data_samples: list[SegDataSample]) -> None:
        flips = [[sample.get('flip', False)] for sample in data_samples]
        # Labels as announced; those of the samples are on the device, and reading them would wait.
        rows = [
            (i, label, entry)
            for i, sample in enumerate(data_samples)
            for label, entry in self._entries_of(sample).items()
        ]
        table = self._table_for(score_map)
        if not rows:
            return
        device = score_map.device
        images, classes, entries = torch.tensor(rows).to(device, non_blocking=True).unbind(dim=1)
        flipped = torch.tensor(flips).to(device, non_blocking=True)[images, :, None]
        maps = score_map[images, classes].float()  # (R, h, w)
        counted = maps.mean(dim=(1, 2)).sigmoid() >= self.min_score
        if self.last_epoch:
            counted = counted | (self.stored.index_select(0, entries) == 0)
        maps = quantize_maps(torch.where(flipped, maps.flip(-1), maps))
        keep_maximum(table, self.stored, entries, maps, counted)

    def _entries_of(self, sample: SegDataSample) -> Mapping[int, int]:
        if sample.img_id not in self.entries:
            raise UserInputError(
                f'TrainingCAMs: {sample.img_id!r} is not among the announced images, '
                f'{len(self.entries)} in all. Add TrainingCAMsHook to `custom_hooks`.'
            )
        return self.entries[sample.img_id]

    def _table_for(self, score_map: Tensor) -> Tensor:
        """Create the table for maps of this size, or check that it has this size."""
        size = size_of(score_map)
        if self.maps is None:
            num_entries = sum(len(classes) for classes in self.entries.values())
            self.maps = score_map.new_zeros((num_entries, *size), dtype=torch.uint8)
            self.stored = score_map.new_zeros(num_entries, dtype=torch.uint8)
        elif (known := size_of(self.maps)) != size:
            raise UserInputError(
                f'TrainingCAMs: maps are {size[0]}x{size[1]}, but were {known[0]}x{known[1]} '
                'before (height x width). All views must have the same size: use '
                'Resize(scale=..., keep_ratio=False).'
            )
        self.maps, self.stored = self.maps.to(score_map.device), self.stored.to(score_map.device)
        return self.maps


def _check_view(sample: SegDataSample, batch_size: tuple[int, int]) -> None:
    """Refuse views that are padded or cropped, as they must show exactly the whole image."""
    found: dict[str, Any] = {k: sample.get(k) for k in ('img_id', 'img_shape', 'ori_shape')}
    size, original = tuple(found['img_shape']), tuple(found['ori_shape'])
    factors = sample.get('scale_factor', (1.0, 1.0))[::-1]  # of height, of width
    whole = all(
        abs(side * factor - now) < 1
        for side, factor, now in zip(original, factors, size, strict=True)
    )
    if not whole or size != batch_size:
        raise UserInputError(
            f'TrainingCAMs: the view of {found["img_id"]!r} is {size[0]}x{size[1]} of an image of '
            f'{original[0]}x{original[1]}, scaled by {factors[0]:.3g}x{factors[1]:.3g}, in a batch '
            f'of {batch_size[0]}x{batch_size[1]} (height x width). Views must show the whole image '
            'without padding: use Resize(scale=..., keep_ratio=False) and no crop.'
        )
    if sample.get('flip', False) and sample.get('flip_direction') != 'horizontal':
        raise UserInputError(
            f'TrainingCAMs: the view of {found["img_id"]!r} is flipped '
            f'{sample.get("flip_direction")!r}; only horizontal ones are flipped back. Set '
            "RandomFlip(direction='horizontal')."
        )
