"""Head that finds boundaries between objects in feature maps of several depths."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsss.registry import MODELS


class _Branch(nn.Module):
    def __init__(self, in_channels: int, channels: int, groups: int, scale: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.norm = nn.GroupNorm(groups, channels)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        if self.scale > 1:  # before the ReLU, which does not commute with it
            x = F.interpolate(x, scale_factor=self.scale, mode='bilinear', align_corners=False)
        return F.relu(x, inplace=True)


@MODELS.register_module()
class BoundaryHead(BaseModule):
    r"""Reduce and enlarge feature maps of several depths, and mix them to one logit per cell.

    .. math:: g_i = ReLU(up_{s_i}(GN(W_i x_i))), \quad z = w^T [g_0; g_1; \dots] + b

    All W are 1x1 convolutions without bias. Maps are enlarged by fixed factors and cut at the right
    and bottom, so that a cell covers the same pixels whatever the image size. The group
    normalisation sees the whole map, including padding.

    Args:
        in_channels: Channels of the feature maps.
        scales: Factor by which each map is enlarged; the first is 1.
        channels: Channels to which each is reduced.
        norm_groups: Groups of the normalisation.
        init_cfg: Weight initialisation; by default PyTorch's.

    Raises:
        ValueError: If the numbers of feature maps, channels and scales differ, or the first map is
            enlarged. In ``forward``, if an enlarged map is smaller than the first.

    Shape:
        tuple of (B, C_i, h_i, w_i); returns (B, 1, h, w) with h and w of the first map.

    Source:
        Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel
        Relations", CVPR 2019, Sec. 3.2; widths, groups and order are those of the published code.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (64, 256, 512, 1024, 2048),
        scales: Sequence[int] = (1, 1, 2, 4, 4),
        *,
        channels: int = 32,
        norm_groups: int = 4,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(in_channels) != len(scales) or list(scales[:1]) != [1]:
            raise ValueError(
                'Expected in_channels and scales of the same length, and 1 as the first scale, '
                f'got {list(in_channels)} and {list(scales)}.'
            )
        self.branches = nn.ModuleList(
            _Branch(given, channels, norm_groups, scale)
            for given, scale in zip(in_channels, scales, strict=True)
        )
        self.fusion = nn.Conv2d(len(in_channels) * channels, 1, 1)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Compute the boundary logits."""
        if len(feats) != len(self.branches):
            raise ValueError(
                f'BoundaryHead has in_channels for {len(self.branches)} feature maps, but the '
                f'backbone gives {len(feats)}. Match its taps or out_indices.'
            )
        reduced = [branch(x) for branch, x in zip(self.branches, feats, strict=True)]
        return self.fusion(torch.cat([_cut(x, feats[0]) for x in reduced], dim=1))


def _cut(x: Tensor, like: Tensor) -> Tensor:
    height, width = like.shape[2:]
    if x.shape[2] < height or x.shape[3] < width:
        raise ValueError(
            f'BoundaryHead: an enlarged map is {tuple(x.shape[2:])}, smaller than the first, '
            f'{(height, width)}. Set its scale to its stride divided by the stride of the first.'
        )
    return x[:, :, :height, :width]
