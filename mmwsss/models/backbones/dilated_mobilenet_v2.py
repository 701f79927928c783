"""MobileNetV2 whose pretrained features survive dilation."""

from mmseg.models.backbones import MobileNetV2
from mmseg.models.utils import InvertedResidual
from torch import Tensor, nn

from mmwsss.registry import MODELS


@MODELS.register_module()
class DilatedMobileNetV2(MobileNetV2):
    """mmseg's MobileNetV2 with the dilation on the right convolutions.

    When the stride of a layer is removed, its first block still reads its input at the previous
    rate, but everything after it must be dilated. Here the first block of a layer has the dilation
    of the layer before, and all other blocks that of their own layer. At every second position the
    features are then exactly those of the strided network. mmseg dilates only first blocks, which
    destroys ImageNet features (cosine similarity 0.56 at output stride 16, 0.18 at 8).

    It also always returns a tuple of features. The options are those of mmseg's MobileNetV2; for
    output stride 16 use ``strides=(1, 2, 2, 2, 1, 1, 1), dilations=(1, 1, 1, 1, 1, 2, 2)``.

    Shape:
        images (B, 3, H, W); one feature map for each of ``out_indices``.
    """

    in_channels: int  # of the next layer; set by the parent

    def make_layer(
        self, out_channels: int, num_blocks: int, stride: int, dilation: int, expand_ratio: int
    ) -> nn.Sequential:
        """Stack the blocks of one layer; called by the parent's constructor, layer by layer."""
        previous = self.dilations[max(len(self.layers) - 1, 0)]
        blocks = []
        for index in range(num_blocks):
            block = InvertedResidual(
                self.in_channels,
                out_channels,
                stride if index == 0 else 1,
                expand_ratio=expand_ratio,
                dilation=previous if index == 0 else dilation,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
                with_cp=self.with_cp,
            )
            blocks.append(block)
            self.in_channels = out_channels
        return nn.Sequential(*blocks)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of ``out_indices``."""
        feats = super().forward(images)
        return feats if isinstance(feats, tuple) else (feats,)

    def train(self, mode: bool = True) -> 'DilatedMobileNetV2':
        """Set the mode; the parent's method forgets to return the module."""
        super().train(mode)
        return self
