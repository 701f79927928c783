"""Segmentor that sees every image at several scales, in training and testing.

Legend: B images, C = 1+K classes, H x W pixels, h x w cells of the feature grid.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor

from mmwsss.registry import MODELS
from mmwsss.structures import size_of

_LABELS = ('gt_sem_seg', 'gt_sem_seg_aux')


def reduce_label(label: Tensor, size: tuple[int, int]) -> Tensor:
    """Take the label at the centre of every cell: pixel ``floor((i + 1/2) H / h)`` of cell i.

    This equals Pillow's nearest neighbour. PyTorch's ``mode='nearest'``, ``floor(i H / h)``, shifts
    labels by up to half a cell.

    Args:
        label: Label map, (..., H, W).
        size: Rows h and columns w of the grid.

    Returns:
        Label of every cell, (..., h, w).
    """
    rows, columns = (
        (2 * torch.arange(cells, device=label.device) + 1) * length // (2 * cells)
        for cells, length in zip(size, label.shape[-2:], strict=True)
    )
    return label[..., rows[:, None], columns]


@MODELS.register_module()
class MultiScaleSegmentor(EncoderDecoder):
    r"""mmseg's segmentor on several scales of the image, taking the largest logit.

    :math:`z_s` are the logits of the image resized by s, each on its own grid, and :math:`z_{max}`
    is the maximum of all of them on the grid of :math:`z_1`. The loss is the sum

    .. math:: L = L(z_1, y) + \sum_s L(z_s, y) + L(z_{max}, y)

    where L is the loss of the head and every term uses labels on *its own* grid, see
    :func:`reduce_label`. Predictions are :math:`z_{max}`, resized to the image. Any head that
    computes its loss in ``loss_by_feat`` works, including one with two label maps.

    Args:
        scales: Factors s in addition to 1.
        **base: Options of :class:`mmseg.models.EncoderDecoder`, without an auxiliary head.

    Shape:
        inputs (B, 3, H, W); logits (B, C, H, W). A side n becomes floor(s n), so 321 gives 160 and
        240.

    Raises:
        ValueError: If there is no scale, one is not positive, or there is an auxiliary head.

    Source: Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous
    Convolution, and Fully Connected CRFs", TPAMI 2018, section 4.1.2 (MSC).
    """

    def __init__(
        self,
        *,
        scales: Sequence[float] = (0.5, 0.75),
        **base: Any,  # the nine options of the library's class
    ) -> None:
        if not scales or min(scales) <= 0:
            raise ValueError(
                'scales must be positive factors, in addition to the 1 that is always used, got '
                f'{scales}. For a single scale use type EncoderDecoder.'
            )
        if base.get('auxiliary_head') is not None:
            raise ValueError(
                'MultiScaleSegmentor has no loss for an auxiliary head. Set auxiliary_head=None.'
            )
        super().__init__(**base)
        self.scales = tuple(scales)

    def logits_of_scales(self, inputs: Tensor) -> dict[str, Tensor]:
        """Logits by scale, each on its own grid, and finally their maximum, ``'max'``."""
        logits = {'1': self.decode_head(self.extract_feat(inputs))}
        for scale in self.scales:
            view = F.interpolate(inputs, scale_factor=scale, mode='bilinear', align_corners=False)
            logits[f'{scale:g}'] = self.decode_head(self.extract_feat(view))
        logits['max'] = self._largest(list(logits.values()))
        return logits

    def _largest(self, maps: list[Tensor]) -> Tensor:
        largest, *others = maps
        for one in others:
            resized = F.interpolate(
                one, largest.shape[2:], mode='bilinear', align_corners=self.align_corners
            )
            largest = torch.maximum(largest, resized)
        return largest

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """Losses of the head at every scale and on the maximum."""
        losses = {}
        for scale, logits in self.logits_of_scales(inputs).items():
            samples = [_on_grid(sample, size_of(logits)) for sample in data_samples]
            own = self.decode_head.loss_by_feat(logits, samples)
            losses.update(add_prefix(own, f'decode_{scale}'))
        return losses

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Predict logits (B, C, H, W)."""
        return self.decode_head.predict_by_feat(self._forward(inputs), batch_img_metas)

    def _forward(self, inputs: Tensor, data_samples: list[SegDataSample] | None = None) -> Tensor:
        return self.logits_of_scales(inputs)['max']


def _on_grid(sample: SegDataSample, size: tuple[int, int]) -> SegDataSample:
    """Copy a sample with its label maps reduced to a grid."""
    reduced = SegDataSample(metainfo=sample.metainfo)
    for name in _LABELS:
        if name in sample:
            label = reduce_label(sample.get(name).data, size)
            reduced.set_data({name: PixelData(data=label)})
    return reduced
