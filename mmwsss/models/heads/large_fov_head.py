"""DeepLab-LargeFOV's heads, behind VGG16's fc6 and fc7 or with their own convolutions."""

from typing import Any

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmwsss.registry import MODELS


@MODELS.register_module()
class LargeFOVHead(BaseDecodeHead):
    """Classify the features of a backbone with a large field of view (VGG16, fc6 dilation 12).

    Dropout is part of the backbone (after fc6 and fc7), so there is none here.

    Args:
        in_channels: Channels of the features.
        num_classes: Classes, background included.
        in_index: Which of the backbone's outputs is classified.
        loss_decode: Loss config; mmseg's cross entropy averages over ignored pixels too unless
            ``avg_non_ignore=True``.
        align_corners: How logits are resized to the image.

    Shape:
        inputs: tuple of features (B, C, h, w); returns logits (B, num_classes, h, w).

    Source: Chen et al., "Semantic Image Segmentation with Deep Convolutional Nets and Fully
    Connected CRFs", ICLR 2015, section 5 (DeepLab-LargeFOV).
    """

    def __init__(
        self,
        in_channels: int,
        *,
        num_classes: int,
        in_index: int = -1,
        loss_decode: dict | None = None,
        align_corners: bool = True,
    ) -> None:
        super().__init__(
            in_channels,
            channels=in_channels,
            num_classes=num_classes,
            in_index=in_index,
            dropout_ratio=0,
            loss_decode=loss_decode or {'type': 'CrossEntropyLoss', 'avg_non_ignore': True},
            align_corners=align_corners,
        )

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Score every position."""
        return self.cls_seg(self._transform_inputs(inputs))


@MODELS.register_module()
class DilatedLargeFOVHead(BaseDecodeHead):
    """Two dilated 3x3 convolutions for a backbone without a large field of view (ResNet-38).

    ``conv(relu(conv(x)))``, both with bias; the second convolution is the classifier.

    Args:
        in_channels: Channels of the features.
        channels: Channels between the convolutions.
        num_classes: Classes, background included.
        dilation: Dilation of both convolutions.
        in_index: Which of the backbone's outputs is classified.
        loss_decode: Loss config; mmseg's cross entropy averages over ignored pixels too unless
            ``avg_non_ignore=True``.
        align_corners: How logits are resized to the image.

    Shape:
        inputs: tuple of features (B, C, h, w); returns logits (B, num_classes, h, w).

    Source: the published code of Yoon et al., "Adversarial Erasing Framework via Triplet with Gated
    Pyramid Pooling Layer for Weakly Supervised Semantic Segmentation", ECCV 2022, which has this
    network but not its training.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        num_classes: int,
        channels: int = 512,
        dilation: int = 12,
        in_index: int = -1,
        loss_decode: dict | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__(
            in_channels,
            channels=channels,
            num_classes=num_classes,
            in_index=in_index,
            dropout_ratio=0,
            loss_decode=loss_decode or {'type': 'CrossEntropyLoss', 'avg_non_ignore': True},
            align_corners=align_corners,
        )
        same_size: dict[str, Any] = dict(padding=dilation, dilation=dilation)
        self.conv = ConvModule(in_channels, channels, 3, **same_size)
        self.conv_seg = nn.Conv2d(channels, self.out_channels, 3, **same_size)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Score every position."""
        return self.cls_seg(self.conv(self._transform_inputs(inputs)))
