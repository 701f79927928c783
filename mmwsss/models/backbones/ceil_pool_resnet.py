"""ResNet whose stem rounds sizes up, as Caffe does."""

from mmseg.models.backbones import ResNet
from torch import nn

from mmwsss.registry import MODELS


@MODELS.register_module()
class CeilPoolResNet(ResNet):
    """mmseg's ResNet with Caffe's pooling: the grid of an even size is one cell larger.

    Options and parameter names are mmseg's. DeepLab-V2's network is ``depth=101, style='caffe',
    strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), norm_eval=True``.

    Shape:
        images (B, 3, H, W); one feature map for each of ``out_indices``. At output stride 8 a side
        of 321 gives 41 cells, 96 gives 13 (mmseg's ResNet: 12).

    Source: Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous
    Convolution, and Fully Connected CRFs", TPAMI 2018: the network of the published Caffe model.
    """

    def _make_stem_layer(self, in_channels: int, stem_channels: int) -> None:
        super()._make_stem_layer(in_channels, stem_channels)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)

    def train(self, mode: bool = True) -> 'CeilPoolResNet':
        """Set the mode; the parent's method forgets to return the module."""
        super().train(mode)
        return self
