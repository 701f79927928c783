"""Neck that joins feature maps in one non-negative map."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor

from mmwsss.registry import MODELS


@MODELS.register_module()
class ConcatConvNeck(BaseModule):
    """Concatenate feature maps at the size of the last one, then 1x1 convolution and ReLU.

    The features become non-negative, as activation maps and cosine similarities want them, also
    behind a backbone that ends in a linear layer such as MobileNetV2's.

    Args:
        in_channels: Channels of the feature maps to concatenate.
        out_channels: Channels C of the result.
        in_indices: Which of the backbone's feature maps these are; by default all of them.
        norm_cfg: Config of a normalisation before the ReLU.
        bias: Whether the convolution has a bias; by default where there is no normalisation.
        init_cfg: Weight initialisation; Kaiming by default.

    Raises:
        ValueError: If the numbers of channels and of feature maps differ.

    Shape:
        tuple of (B, C_i, h_i, w_i); returns a tuple with one map (B, C, h, w), h and w of the last.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        *,
        in_indices: Sequence[int] | None = None,
        norm_cfg: dict | None = None,
        bias: bool | Literal['auto'] = 'auto',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_indices = tuple(range(len(in_channels)) if in_indices is None else in_indices)
        if len(self.in_indices) != len(in_channels):
            raise ValueError(
                f'Expected one entry of in_channels for each of in_indices, got '
                f'{list(in_channels)} and {list(self.in_indices)}.'
            )
        self.num_expected = None if in_indices is not None else len(in_channels)
        self.conv = ConvModule(sum(in_channels), out_channels, 1, bias=bias, norm_cfg=norm_cfg)
        # ConvModule would draw Kaiming weights again after `init_cfg` has set others.
        self.conv.is_init = init_cfg is not None

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Join the feature maps."""
        if self.num_expected not in (None, len(feats)):
            raise ValueError(
                f'ConcatConvNeck has in_channels for {self.num_expected} feature maps, but the '
                f'backbone gives {len(feats)}. Match its out_indices or set in_indices.'
            )
        selected = [feats[index] for index in self.in_indices]
        size = selected[-1].shape[2:]
        same_size = [
            x if x.shape[2:] == size else F.interpolate(x, size, mode='bilinear') for x in selected
        ]
        return (self.conv(torch.cat(same_size, dim=1)),)
