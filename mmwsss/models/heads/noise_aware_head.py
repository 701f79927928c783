"""mmseg's decode heads with a cosine classifier that learns from two pseudo label maps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from mmseg.models.decode_heads import ASPPHead, DepthwiseSeparableASPPHead, FCNHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.heads.cosine_classifier import CosineClassifier
from mmwsss.models.heads.deeplabv2_head import SummedBranches
from mmwsss.models.heads.large_fov_head import LargeFOVHead
from mmwsss.models.losses import NoiseAwareLoss
from mmwsss.registry import MODELS
from mmwsss.structures import size_of

# The mixin uses members of the head that it is mixed into.
if TYPE_CHECKING:
    from mmseg.models.decode_heads.decode_head import BaseDecodeHead as _MixedInto
else:
    _MixedInto = object


class NoiseAwareMixin(_MixedInto):
    """Replaces the classifier and the loss of an mmseg decode head; list it before the head.

    The logits are ``temperature * cosine``, so mmseg's whole, sliding and augmented inference work
    unchanged. Training reads ``gt_sem_seg`` and ``gt_sem_seg_aux`` of every sample; cosines are
    taken at feature resolution and then resized, as in the published code.

    Args:
        temperature: Factor from cosine to logit.
        loss_decode: Config of a ``NoiseAwareLoss``. A config that inherits another loss must
            replace it with ``_delete_=True``.
        kwargs: Options of the mmseg head.

    Raises:
        ValueError: ``loss_decode`` is not a ``NoiseAwareLoss``, or the head samples pixels or has a
            single output.

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
    Segmentation", CVPR 2021, section 3.3.
    """

    def __init__(
        self, *, temperature: float = 20.0, loss_decode: dict | None = None, **kwargs: Any
    ) -> None:
        super().__init__(loss_decode=loss_decode or {'type': NoiseAwareLoss}, **kwargs)
        name = type(self).__name__
        if not isinstance(self.loss_decode, NoiseAwareLoss):
            raise ValueError(
                f'{name} expects a NoiseAwareLoss, got loss_decode={loss_decode}. Write '
                "loss_decode=dict(_delete_=True, type='NoiseAwareLoss') in the config, or use the "
                'mmseg head of the same name if you want another loss.'
            )
        if self.sampler is not None or self.out_channels != self.num_classes:
            raise ValueError(
                f'{name} compares all classes at all pixels: remove `sampler` and `out_channels`.'
            )
        self.conv_seg = CosineClassifier(self.channels, self.out_channels, temperature=temperature)

    def loss_by_feat(
        self, seg_logits: Tensor, batch_data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compare the logits (B, 1+K, h, w) with both label maps of the samples."""
        label = self._stack_batch_gt(batch_data_samples).squeeze(1)  # (B, H, W)
        aux_label = stack_aux_labels(batch_data_samples, size=size_of(label))
        temperature = self.conv_seg.temperature
        cosines = resize(
            seg_logits / temperature,
            size=label.shape[1:],
            mode='bilinear',
            align_corners=self.align_corners,
        )
        losses = self.loss_decode(
            cosines,
            label,
            aux_label,
            temperature=temperature,
            ignore_index=self.ignore_index,
        )
        losses['acc_seg'] = _pixel_accuracy(cosines, label, ignore_index=self.ignore_index)
        return losses


def stack_aux_labels(data_samples: list[SegDataSample], *, size: tuple[int, int]) -> Tensor:
    """Stack the second label map of every sample to (B, H, W).

    Raises:
        ValueError: A sample has no second map, or its size differs from that of the first.
    """
    for sample in data_samples:
        where = sample.get('img_path', 'a sample')
        if 'gt_sem_seg_aux' not in sample:
            raise ValueError(
                f'{where} has no gt_sem_seg_aux, the second label map that the noise-aware loss '
                'needs. Give the dataset the folder of the second labels (data_prefix=dict('
                'aux_seg_map_path=...)) and load it in the pipeline before the crop.'
            )
        if sample.gt_sem_seg_aux.data.shape[-2:] != size:
            raise ValueError(
                f'{where}: the two label maps have sizes {tuple(size)} and '
                f'{tuple(sample.gt_sem_seg_aux.data.shape[-2:])}. Every transform must treat them '
                "alike: add the second one to results['seg_fields'], and crop and pad to a fixed "
                'size in the pipeline.'
            )
    return torch.stack([sample.gt_sem_seg_aux.data for sample in data_samples]).squeeze(1)


def _pixel_accuracy(scores: Tensor, label: Tensor, *, ignore_index: int) -> Tensor:
    """Percentage of labelled pixels with the right class; mmseg's own waits for the device."""
    correct = (scores.detach().argmax(dim=1) == label).sum()
    return 100 * correct / (label != ignore_index).sum().clamp_min(1)


@MODELS.register_module()
class NoiseAwareLargeFOVHead(NoiseAwareMixin, LargeFOVHead):
    """:class:`LargeFOVHead` that learns from two label maps, see :class:`NoiseAwareMixin`."""


@MODELS.register_module()
class NoiseAwareDeepLabV2Head(NoiseAwareMixin, BaseDecodeHead):
    r"""Summed dilated convolutions, ReLU and cosine classifier that learn from two label maps.

    .. math:: z_k = t \cos(\phi, W_k), \quad \phi = ReLU(\sum_d conv_d(x))

    Unlike in :class:`DeepLabV2Head`, the branches give features and have no bias. Both they and the
    classifier start from N(0, 0.01).

    Args:
        in_channels: Channels C of the features.
        num_classes: Classes 1+K, background included.
        channels: Channels of every branch.
        dilations: Dilation of each branch.
        in_index: Which of the backbone's outputs to classify.
        temperature: Factor t from cosine to logit.
        loss_decode: Config of a ``NoiseAwareLoss``.
        align_corners: How cosines are resized to the image.

    Shape:
        inputs: tuple of features (B, C, h, w); returns logits (B, 1+K, h, w).

    Raises:
        ValueError: As :class:`NoiseAwareMixin`, or if there is no dilation.

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
    Segmentation", CVPR 2021: the network of the published code behind its ResNet-101.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        num_classes: int,
        channels: int = 256,
        dilations: Sequence[int] = (6, 12, 18, 24),
        in_index: int = -1,
        temperature: float = 20.0,
        loss_decode: dict | None = None,
        align_corners: bool = True,
    ) -> None:
        super().__init__(
            temperature=temperature,
            loss_decode=loss_decode,
            in_channels=in_channels,
            channels=channels,
            num_classes=num_classes,
            in_index=in_index,
            dropout_ratio=0,
            align_corners=align_corners,
            init_cfg={'type': 'Normal', 'layer': 'Conv2d', 'std': 0.01},
        )
        self.branches = SummedBranches(in_channels, channels, dilations, bias=False)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Score every position."""
        return self.cls_seg(F.relu(self.branches(self._transform_inputs(inputs))))


@MODELS.register_module()
class NoiseAwareFCNHead(NoiseAwareMixin, FCNHead):
    """mmseg's ``FCNHead`` that learns from two label maps, see :class:`NoiseAwareMixin`."""


@MODELS.register_module()
class NoiseAwareASPPHead(NoiseAwareMixin, ASPPHead):
    """mmseg's ``ASPPHead`` that learns from two label maps, see :class:`NoiseAwareMixin`."""


@MODELS.register_module()
class NoiseAwareDepthwiseSeparableASPPHead(NoiseAwareMixin, DepthwiseSeparableASPPHead):
    """mmseg's DeepLabV3+ head that learns from two label maps, see :class:`NoiseAwareMixin`."""
