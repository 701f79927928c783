"""Head that turns feature maps of several depths into the features that affinities compare."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsss.registry import MODELS


class _Branch(nn.Module):
    def __init__(self, in_channels: int, channels: int, groups: int | None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.norm = nn.GroupNorm(groups, channels) if groups else nn.Identity()

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        # Same as resizing first, because both are linear, but with a fraction of the channels.
        x = self.conv(x)
        if x.shape[2:] != size:
            x = F.interpolate(x, size, mode='bilinear')
        return F.elu(self.norm(x), inplace=True)


@MODELS.register_module()
class AffinityHead(BaseModule):
    r"""Reduce feature maps of several depths, concatenate and mix them.

    .. math::
        g_i = ELU([GN](W_i x_i)), \quad f = ELU(W [g_0; g_1; \dots])

    All W are 1x1 convolutions without bias.

    Args:
        in_channels: Channels of the feature maps.
        channels: Channels to which each is reduced; their sum is C.
        norm_groups: Groups of the group normalisation of each reduced map; no normalisation by
            default.
        init_cfg: Weight initialisation; by default Kaiming normal, and Xavier uniform with a gain
            of 4 for the last convolution.

    Raises:
        ValueError: If the numbers of feature maps, channels and groups differ.

    Shape:
        tuple of (B, C_i, h_i, w_i); returns (B, C, h, w) with h and w of the first map. Maps of
        other sizes are resized bilinearly; in the paper's networks all sizes are equal.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
        Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.4. Widths and initialisation are
        those of the published code.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (512, 1024, 4096),
        channels: Sequence[int] = (64, 128, 256),
        *,
        norm_groups: Sequence[int] | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or _default_init())
        count = len(in_channels)
        groups = (None,) * count if norm_groups is None else tuple(norm_groups)
        if not count == len(channels) == len(groups):
            raise ValueError(
                'Expected in_channels, channels and norm_groups of the same length, got '
                f'{list(in_channels)}, {list(channels)} and {norm_groups}. Give one entry per '
                'feature map.'
            )
        self.branches = nn.ModuleList(map(_Branch, in_channels, channels, groups))
        self.fusion = nn.Conv2d(sum(channels), sum(channels), 1, bias=False)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Compute the features from whose differences affinities are derived."""
        if len(feats) != len(self.branches):
            raise ValueError(
                f'AffinityHead has in_channels for {len(self.branches)} feature maps, but the '
                f'backbone gives {len(feats)}. Match its out_indices.'
            )
        size = feats[0].shape[2:]
        reduced = [branch(x, size) for branch, x in zip(self.branches, feats, strict=True)]
        return F.elu(self.fusion(torch.cat(reduced, dim=1)), inplace=True)


def _default_init() -> dict:
    return dict(
        type='Kaiming',
        layer='Conv2d',
        mode='fan_in',
        override=dict(type='Xavier', name='fusion', distribution='uniform', gain=4),
    )
