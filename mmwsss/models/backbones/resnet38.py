"""Wide ResNet-38 with pre-activation and output stride 8."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmwsss.registry import MODELS

# Residual blocks of two convolutions. For each stage: number of blocks, channels between and after
# the convolutions, stride of the first block, dilation of its first convolution, all other
# dilations.
_STAGES = {
    2: (3, 128, 128, 2, 1, 1),
    3: (3, 256, 256, 2, 1, 1),
    4: (6, 512, 512, 2, 1, 1),
    5: (3, 512, 1024, 1, 1, 2),
}
# Bottlenecks, one per stage: channels after it, dilation.
_BOTTLENECKS = {6: (2048, 4), 7: (4096, 4)}
_STEM_CHANNELS = 64
# Blocks whose input is taken as a feature map: conv4, conv5. The last, conv6, follows bn7.
_TAPPED = ('b5', 'b6')


class _ResidualBlock(nn.Module):
    """``shortcut(x) + conv(relu(bn(conv(a))))`` with ``a = relu(bn(x))``.

    The shortcut is x itself, or a strided 1x1 convolution of a if the shape changes. Returns the
    sum and a.
    """

    def __init__(
        self,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        *,
        stride: int,
        first_dilation: int,
        dilation: int,
    ) -> None:
        super().__init__()
        self.bn_branch2a = nn.BatchNorm2d(in_channels)
        self.conv_branch2a = _conv3x3(in_channels, mid_channels, first_dilation, stride=stride)
        self.bn_branch2b1 = nn.BatchNorm2d(mid_channels)
        self.conv_branch2b1 = _conv3x3(mid_channels, out_channels, dilation)
        self.keeps_shape = in_channels == out_channels and stride == 1
        if not self.keeps_shape:
            self.conv_branch1 = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        activated = F.relu(self.bn_branch2a(x), inplace=True)
        shortcut = x if self.keeps_shape else self.conv_branch1(activated)
        branch = self.conv_branch2a(activated)
        branch = self.conv_branch2b1(F.relu(self.bn_branch2b1(branch), inplace=True))
        return shortcut + branch, activated


class _Bottleneck(nn.Module):
    """Like :class:`_ResidualBlock` with 1x1, 3x3 and 1x1 convolutions and channel dropout."""

    def __init__(
        self, in_channels: int, out_channels: int, *, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.bn_branch2a = nn.BatchNorm2d(in_channels)
        self.conv_branch2a = nn.Conv2d(in_channels, out_channels // 4, 1, bias=False)
        self.bn_branch2b1 = nn.BatchNorm2d(out_channels // 4)
        self.conv_branch2b1 = _conv3x3(out_channels // 4, out_channels // 2, dilation)
        self.bn_branch2b2 = nn.BatchNorm2d(out_channels // 2)
        self.conv_branch2b2 = nn.Conv2d(out_channels // 2, out_channels, 1, bias=False)
        self.conv_branch1 = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        activated = F.relu(self.bn_branch2a(x), inplace=True)
        branch = self.conv_branch2a(activated)
        branch = self.dropout(F.relu(self.bn_branch2b1(branch), inplace=True))
        branch = self.conv_branch2b1(branch)
        branch = self.dropout(F.relu(self.bn_branch2b2(branch), inplace=True))
        branch = self.conv_branch2b2(branch)
        return self.conv_branch1(activated) + branch, activated


@MODELS.register_module()
class ResNet38(BaseModule):
    """Wide ResNet-38 (model A1, dilated): 4096 non-negative channels at output stride 8.

    A 3x3 convolution, 15 pre-activated residual blocks, two bottlenecks, normalisation and ReLU.
    Three blocks have stride 2; the last residual blocks and those after them are dilated instead.
    Parameter names (``conv1a``, ``b2``, ``b2_1``, ..., ``bn7``; in a block ``bn_branch2a``,
    ``conv_branch2a``, ...) are those of the checkpoints in circulation, which load without
    conversion. Scale, shift and statistics of all batch normalisations are frozen, as published.

    Args:
        out_indices: Which features to return, in ascending order: 0 is the activated input of
            block b5 (conv4, 512 channels), 1 that of b6 (conv5, 1024), 2 the activated output of b7
            (conv6, 4096).
        frozen_stages: Stages 1 to this one are not trained and stay in evaluation mode. Stage 1 is
            conv1a, stage s is the blocks b``s`` to b``s``_N, and stage 7 includes bn7; 0 or -1
            freezes none.
        with_cp: Recompute each block in the backward pass instead of keeping its activations.
        dropout: Probabilities of dropping a channel inside b6 and b7.
        init_cfg: Weight initialisation; Kaiming by default. ``tools/model_converters`` makes files
            for ``Pretrained``; they expect RGB, normalised with ImageNet's mean and deviation.

    Raises:
        ValueError: If ``out_indices`` or ``frozen_stages`` is out of range.

    Shape:
        images (B, 3, H, W); features (B, C, h, w), where a side n becomes (n-1)//2 + 1 three times.

    Source: Wu et al., "Wider or Deeper: Revisiting the ResNet Model for Visual Recognition",
        arXiv:1611.10080; dilations, dropout and what is frozen: Ahn and Kwak, "Learning Pixel-level
        Semantic Affinity", CVPR 2018, section 4.1 and its published code.
    """

    def __init__(
        self,
        *,
        out_indices: tuple[int, ...] = (2,),
        frozen_stages: int = 2,
        with_cp: bool = False,
        dropout: tuple[float, float] = (0.3, 0.5),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or {'type': 'Kaiming', 'layer': 'Conv2d'})
        if not out_indices or not set(out_indices) <= {0, 1, 2}:
            raise ValueError(f'out_indices must be one or more of 0, 1 and 2, got {out_indices}.')
        if not -1 <= frozen_stages <= 7:
            raise ValueError(f'frozen_stages must be between -1 and 7, got {frozen_stages}.')
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp
        self._build(dropout)
        for module in self._frozen():
            module.requires_grad_(False)
        self.train()

    def _build(self, dropout: tuple[float, float]) -> None:
        self.conv1a = _conv3x3(3, _STEM_CHANNELS, dilation=1)
        channels = _STEM_CHANNELS
        self._stages: dict[str, int] = {'conv1a': 1}
        self._blocks: list[str] = []
        for stage, (num_blocks, middle, out, stride, first_dilation, dilation) in _STAGES.items():
            for index in range(num_blocks):
                block = _ResidualBlock(
                    channels,
                    middle,
                    out,
                    stride=stride if index == 0 else 1,
                    first_dilation=first_dilation if index == 0 else dilation,
                    dilation=dilation,
                )
                self._add_block(f'b{stage}_{index}' if index else f'b{stage}', stage, block)
                channels = out
        for (stage, (out, dilation)), p in zip(_BOTTLENECKS.items(), dropout, strict=True):
            bottleneck = _Bottleneck(channels, out, dilation=dilation, dropout=p)
            self._add_block(f'b{stage}', stage, bottleneck)
            channels = out
        self.bn7 = nn.BatchNorm2d(channels)
        self._stages['bn7'] = 7

    def _add_block(self, name: str, stage: int, block: nn.Module) -> None:
        self.add_module(name, block)
        self._blocks.append(name)
        self._stages[name] = stage

    def _frozen(self) -> list[nn.Module]:
        stages = self._stages.items()
        frozen = [getattr(self, name) for name, stage in stages if stage <= self.frozen_stages]
        return frozen + [module for module in self.modules() if isinstance(module, _BatchNorm)]

    def train(self, mode: bool = True) -> 'ResNet38':
        """Set the mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of ``out_indices``, in ascending order."""
        x = self.conv1a(images)
        feats = []
        for name in self._blocks:
            block = getattr(self, name)
            x, activated = checkpoint(block, x, use_reentrant=False) if self.with_cp else block(x)
            if name in _TAPPED:
                feats.append(activated)
        feats.append(F.relu(self.bn7(x), inplace=True))
        return tuple(feat for index, feat in enumerate(feats) if index in self.out_indices)


def _conv3x3(in_channels: int, out_channels: int, dilation: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(
        in_channels,
        out_channels,
        3,
        stride=stride,
        padding=dilation,
        dilation=dilation,
        bias=False,
    )
