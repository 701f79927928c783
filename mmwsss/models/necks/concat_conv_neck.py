"""Neck that joins feature maps into one non-negative map."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor

from mmwsss.registry import MODELS


@MODELS.register_module()
class ConcatConvNeck(BaseModule):
    """Concatenate feature maps at the size of the last one, then apply a 1x1 convolution and ReLU.

    This makes features non-negative, as activation maps and cosine similarities require, even if
    the backbone ends in a linear layer, such as MobileNetV2's.

    Args:
        in_channels: Channels of the feature maps to concatenate.
        out_channels: Channels C of the result.
        bias: Whether the convolution has a bias.
        init_cfg: Weight initialisation; Kaiming by default.

    Raises:
        ValueError: If the numbers of channels and of feature maps differ.

    Shape:
        tuple of (B, C_i, h_i, w_i); returns a tuple with one map (B, C, h, w) with h and w of the
        last.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        *,
        bias: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_expected = len(in_channels)
        self.conv = ConvModule(sum(in_channels), out_channels, 1, bias=bias)
        # ConvModule would draw Kaiming weights again after `init_cfg` has set the weights.
        self.conv.is_init = init_cfg is not None

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Join the feature maps."""
        if len(feats) != self.num_expected:
            raise ValueError(
                f'ConcatConvNeck has in_channels for {self.num_expected} feature maps, but the '
                f'backbone gives {len(feats)}. Match its out_indices.'
            )
        size = feats[-1].shape[2:]
        same_size = [
            x if x.shape[2:] == size else F.interpolate(x, size, mode='bilinear') for x in feats
        ]
        return (self.conv(torch.cat(same_size, dim=1)),)
