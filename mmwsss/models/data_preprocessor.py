"""Batches images of different sizes together with all of their label maps."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement, PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from mmseg.utils import stack_batch

from mmwsss.registry import MODELS

_ALIGNMENT = 16  # bytes; a view of packed bytes must start at a multiple of its type's size


@MODELS.register_module()
class WeakSegDataPreProcessor(SegDataPreProcessor):
    """mmseg's preprocessor, which here also pads the maps that mmseg does not know.

    In training, all images of a batch and their ``gt_sem_seg`` are padded at the right and bottom
    to the same size. This class also pads ``background_mask`` with 0 ("not known to be background")
    and ``gt_sem_seg_aux`` with ``seg_pad_val``.

    In prediction, images of different sizes are also padded to the largest, so that a segmentor
    takes a list of photographs. The padding is cut off the predictions again, but the network sees
    it: near the padding, predictions differ from those of a single image.

    Nothing waits for the device. All annotations of a batch travel in one copy, and images pinned
    by the data loader are copied while the device works.

    Args:
        mean: Mean of each channel, in the order after channel conversion.
        std: Standard deviation of each channel.
        size: Height and width to pad to; by default the largest in the batch.
        size_divisor: The size is rounded up to a multiple of this; only without ``size``.
        pad_val: Padding of the *normalised* image.
        seg_pad_val: Padding of label maps.
        bgr_to_rgb: Convert the channels (``LoadImage`` gives BGR).
        test_cfg: ``size`` or ``size_divisor`` for prediction, for images of one size.
    """

    def __init__(
        self,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        size: tuple[int, int] | None = None,
        size_divisor: int | None = None,
        pad_val: float = 0,
        seg_pad_val: int = 255,
        bgr_to_rgb: bool = False,
        test_cfg: dict | None = None,
    ) -> None:
        if size is None and size_divisor is None:
            size_divisor = 1  # mmseg requires one of the two
        # mmseg converts every image by a list of indices, a copy that waits. Here the stacked batch
        # is converted instead, so the images are normalised in the order they come in.
        super().__init__(
            mean=mean[::-1] if mean is not None and bgr_to_rgb else mean,
            std=std[::-1] if std is not None and bgr_to_rgb else std,
            size=size,
            size_divisor=size_divisor,
            pad_val=pad_val,
            seg_pad_val=seg_pad_val,
            test_cfg=test_cfg,
        )
        self.bgr_to_rgb = bgr_to_rgb

    def cast_data(self, data: Any) -> Any:
        """Move data to the device, the annotations of a batch in one copy."""
        if isinstance(data, torch.Tensor):
            return data.to(self.device, non_blocking=True)
        is_batch = isinstance(data, list | tuple) and data and isinstance(data[0], BaseDataElement)
        if is_batch and self.device.type != 'cpu':
            return samples_to(data, self.device)
        return super().cast_data(data)

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Normalise and stack the images; pad the maps of the samples when training."""
        if not training and not self.test_cfg and len({i.shape for i in data['inputs']}) > 1:
            return self._of_different_sizes(data)
        data = super().forward(data, training)
        if self.bgr_to_rgb:
            data['inputs'] = data['inputs'].flip(1)
        if training:
            height, width = data['inputs'].shape[-2:]
            for sample in data['data_samples']:
                sample.set_metainfo({'pad_shape': (height, width)})
                for name, value in (('background_mask', 0), ('gt_sem_seg_aux', self.seg_pad_val)):
                    if name in sample:
                        label_map = sample.get(name).data  # (1, h, w)
                        right, bottom = width - label_map.shape[-1], height - label_map.shape[-2]
                        padded = F.pad(label_map, (0, right, 0, bottom), value=value)
                        sample.set_data({name: PixelData(data=padded)})
        return data

    def _of_different_sizes(self, data: dict) -> dict[str, Any]:
        """Normalise each image separately, then pad them at the right and bottom."""
        pairs = zip(data['inputs'], data['data_samples'], strict=True)
        alone = [self(_batch_of_one(*p)) for p in pairs]
        samples = [one['data_samples'][0] for one in alone]
        inputs, padding = stack_batch(
            [one['inputs'][0] for one in alone], size_divisor=1, pad_val=self.pad_val
        )
        for sample, info in zip(samples, padding, strict=True):
            sample.set_metainfo(info)
        return dict(inputs=inputs, data_samples=samples)


def _batch_of_one(image: torch.Tensor, sample: object) -> dict[str, list]:
    return dict(inputs=[image], data_samples=[sample])


def samples_to(samples: Sequence[SegDataSample], device: torch.device) -> list[SegDataSample]:
    """Move all tensors of data samples to a device in one copy, without waiting for it.

    The tensors of each sample are views of a buffer that all samples share.
    """
    moved = iter(tensors_to([tensor for s in samples for tensor in _tensors(s)], device))
    return [_with_tensors(sample, moved) for sample in samples]


def tensors_to(tensors: list[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """Copy tensors of any type and shape to a device together, as one row of bytes."""
    sizes = [-(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT for tensor in tensors]
    # A copy from memory that is not pinned would wait.
    packed = torch.empty(sum(sizes), dtype=torch.uint8, pin_memory=device.type == 'cuda')
    for tensor, part in zip(tensors, packed.split(sizes), strict=True):
        _unpacked(part, tensor).copy_(tensor)
    parts = packed.to(device, non_blocking=True).split(sizes)
    return [_unpacked(part, tensor) for tensor, part in zip(tensors, parts, strict=True)]


def _unpacked(part: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return part[: like.nbytes].view(like.dtype).view(like.shape)


def _tensors(element: BaseDataElement) -> Iterator[torch.Tensor]:
    for value in element.values():
        if isinstance(value, BaseDataElement):
            yield from _tensors(value)
        elif isinstance(value, torch.Tensor):
            yield value


def _with_tensors(element: BaseDataElement, tensors: Iterator[torch.Tensor]) -> BaseDataElement:
    """Copy an element, with other tensors in the order of :func:`_tensors`."""
    copied = element.new()
    for key, value in element.items():
        if isinstance(value, BaseDataElement):
            copied.set_data({key: _with_tensors(value, tensors)})
        elif isinstance(value, torch.Tensor):
            copied.set_data({key: next(tensors)})
    return copied
