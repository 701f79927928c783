"""DeepLab-V2's head, a sum of parallel dilated convolutions."""

from collections.abc import Sequence

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmwsss.registry import MODELS


class SummedBranches(nn.ModuleList):
    """Parallel 3x3 convolutions of several dilations, summed: ``sum_d conv_d(x)``.

    Args:
        in_channels: Channels C of the input.
        out_channels: Channels D of every branch.
        dilations: Dilation, and padding, of each branch.
        bias: Whether each branch has a bias.

    Shape:
        x (B, C, h, w); returns (B, D, h, w).

    Raises:
        ValueError: If there is no branch.
    """

    def __init__(
        self, in_channels: int, out_channels: int, dilations: Sequence[int], *, bias: bool
    ) -> None:
        if not dilations:
            raise ValueError('dilations is empty. Give one per branch, such as (6, 12).')
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=d, dilation=d, bias=bias)
            for d in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Sum the outputs of the branches."""
        first, *others = self
        total = first(x)
        for conv in others:
            total = total + conv(x)
        return total


@MODELS.register_module()
class DeepLabV2Head(BaseDecodeHead):
    """Sum of parallel dilated 3x3 classifiers, and nothing else.

    ``z = sum_d conv_d(x)``. Unlike mmseg's ``ASPPHead`` (DeepLabV3) it has no normalisation, ReLU,
    1x1 convolution, image pooling or dropout. Weights start from N(0, 0.01), biases from 0.

    Args:
        in_channels: Channels C of the features.
        num_classes: Classes 1+K, background included.
        dilations: Dilation of each branch.
        in_index: Which of the backbone's outputs to classify.
        loss_decode: Loss config; mmseg's cross entropy includes ignored pixels in its mean unless
            ``avg_non_ignore=True``.
        align_corners: How logits are resized to the image.

    Shape:
        inputs: tuple of features (B, C, h, w); returns logits (B, 1+K, h, w).

    Raises:
        ValueError: If there is no dilation.

    Source: Chen et al., "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous
    Convolution, and Fully Connected CRFs", TPAMI 2018, section 3.2 (ASPP-L on ResNet-101), in the
    form that weakly supervised papers use: the branches are the classifiers.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        num_classes: int,
        dilations: Sequence[int] = (6, 12, 18, 24),
        in_index: int = -1,
        loss_decode: dict | None = None,
        align_corners: bool = False,
    ) -> None:
        super().__init__(
            in_channels,
            channels=in_channels,
            num_classes=num_classes,
            in_index=in_index,
            dropout_ratio=0,
            loss_decode=loss_decode or {'type': 'CrossEntropyLoss', 'avg_non_ignore': True},
            align_corners=align_corners,
            init_cfg={'type': 'Normal', 'layer': 'Conv2d', 'std': 0.01},
        )
        self.conv_seg = SummedBranches(in_channels, self.out_channels, dilations, bias=True)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Score every position."""
        return self.cls_seg(self._transform_inputs(inputs))
