"""Batches images of different sizes together with every label map."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.utils import stack_batch

from mmwsss.registry import MODELS


@MODELS.register_module()
class WeakSegDataPreProcessor(SegDataPreProcessor):
    """mmseg's preprocessor, padding the maps it does not know as well.

    In training all images of a batch are padded at the right and bottom to one size, and
    ``gt_sem_seg`` with them. Here ``background_mask`` is padded with 0 ("not known to be
    background") and ``gt_sem_seg_aux`` with ``seg_pad_val`` too.

    In prediction images of different sizes are padded to the largest as well, so that a list of
    photographs can be given to a segmentor. What is padded is cut off the predictions again. It is
    still seen by the network, so near it a prediction differs from that of the image alone.

    Args:
        mean: Mean of each channel, in the order after channel conversion.
        std: Standard deviation of each channel.
        size: Height and width to pad to; without it the largest of the batch.
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
            size_divisor = 1  # mmseg wants one of the two
        super().__init__(
            mean=mean,
            std=std,
            size=size,
            size_divisor=size_divisor,
            pad_val=pad_val,
            seg_pad_val=seg_pad_val,
            bgr_to_rgb=bgr_to_rgb,
            test_cfg=test_cfg,
        )

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Normalise and stack the images; pad the maps of the samples when training."""
        if not training and not self.test_cfg and len({i.shape for i in data['inputs']}) > 1:
            return self._of_different_sizes(data)
        data = super().forward(data, training)
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
        """Normalise every image by itself, then pad them at the right and bottom."""
        pairs = zip(data['inputs'], data['data_samples'], strict=True)
        alone = [super(WeakSegDataPreProcessor, self).forward(_batch_of_one(*p)) for p in pairs]
        samples = [one['data_samples'][0] for one in alone]
        inputs, padding = stack_batch(
            [one['inputs'][0] for one in alone], size_divisor=1, pad_val=self.pad_val
        )
        for sample, info in zip(samples, padding, strict=True):
            sample.set_metainfo(info)
        return dict(inputs=inputs, data_samples=samples)


def _batch_of_one(image: torch.Tensor, sample: object) -> dict[str, list]:
    return dict(inputs=[image], data_samples=[sample])
