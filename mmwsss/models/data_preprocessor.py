"""Batches images of different sizes together with every label map."""

from typing import Any

import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor

from mmwsss.registry import MODELS


@MODELS.register_module()
class WeakSegDataPreProcessor(SegDataPreProcessor):
    """mmseg's preprocessor, padding the maps it does not know as well.

    In training all images of a batch are padded at the right and bottom to one size, and
    ``gt_sem_seg`` with them. Here ``background_mask`` is padded with 0 ("not known to be
    background") and ``gt_sem_seg_aux`` with ``seg_pad_val`` too.

    All options are those of :class:`mmseg.models.SegDataPreProcessor`.
    """

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Normalise and stack the images; pad the maps of the samples when training."""
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
