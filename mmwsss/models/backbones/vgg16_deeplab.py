"""VGG16 as DeepLab changed it: output stride 8 and convolutional fc6 and fc7."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsss.registry import MODELS

# For each block: number of convolutions, channels, dilation, stride of the pooling after them.
_BLOCKS = (
    (2, 64, 1, 2),
    (2, 128, 1, 2),
    (3, 256, 1, 2),
    (3, 512, 1, 1),
    (3, 512, 2, 1),
)
_FC_CHANNELS = 1024


@MODELS.register_module()
class VGG16DeepLab(BaseModule):
    """VGG16 with output stride 8 and 1024 non-negative channels at the end.

    Five blocks of 3x3 convolutions are each followed by a maximum pooling. Only the first three
    poolings have stride 2, and the last block has dilation 2. Then come a 3x3 average pooling, fc6
    (3x3) and fc7 (1x1), the latter two with ReLU and channel dropout. Parameters are called
    ``conv1_1`` to ``conv5_3``, ``fc6`` and ``fc7``, as in DeepLab's Caffe model.

    Args:
        fc6_dilation: Dilation of fc6: 1 for classification, 12 for DeepLab-LargeFOV.
        out_indices: Which features to return. 0 to 4 are the outputs of the blocks before their
            pooling, 5 is that of fc7. Without 5, fc6 and fc7 are not built.
        pool_size: Kernel size of the poolings with stride 2: 3 as in DeepLab's Caffe model, or 2 as
            in torchvision's VGG16 and RCA's published code. It is 3 for the others.
        pool5: Whether maximum and average pooling follow the last block. AffinityNet's published
            code leaves both out.
        frozen_stages: The convolutions of blocks 1 to this one are not trained; 0 or -1 freezes
            none. AffinityNet freezes two.
        dropout: Probability of dropping a channel after fc6 and after fc7, or one value for each.
            AffinityNet has none after fc7, ``(0.5, 0)``, because its classifier has its own.
        init_cfg: Weight initialisation; Kaiming by default. ``tools/model_converters`` makes a file
            for ``Pretrained``; docs/weights.md describes the expected input.

    Raises:
        ValueError: If ``out_indices``, ``fc6_dilation``, ``frozen_stages`` or ``pool_size`` is out
            of range.

    Shape:
        images (B, 3, H, W); features of fc7 (B, 1024, h, w), where a side n becomes (n-1)//2 + 1,
        or n//2 with ``pool_size=2``, three times.

    Source: Chen et al., "Semantic Image Segmentation with Deep Convolutional Nets and Fully
        Connected CRFs", ICLR 2015, section 3. Without pool5: the published code of Ahn and Kwak,
        "Learning Pixel-level Semantic Affinity", CVPR 2018.
    """

    def __init__(
        self,
        *,
        fc6_dilation: int = 1,
        out_indices: tuple[int, ...] = (5,),
        pool_size: int = 3,
        pool5: bool = True,
        frozen_stages: int = 0,
        dropout: float | tuple[float, float] = 0.5,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or {'type': 'Kaiming', 'layer': 'Conv2d'})
        if not out_indices or not set(out_indices) <= set(range(len(_BLOCKS) + 1)):
            raise ValueError(
                f'out_indices must be one or more of 0 to {len(_BLOCKS)}, got {out_indices}.'
            )
        if fc6_dilation < 1:
            raise ValueError(f'fc6_dilation must be >= 1, got {fc6_dilation}.')
        if not -1 <= frozen_stages <= len(_BLOCKS):
            raise ValueError(
                f'frozen_stages must be between -1 and {len(_BLOCKS)}, got {frozen_stages}.'
            )
        if pool_size not in (2, 3):
            raise ValueError(f'pool_size must be 2 or 3, got {pool_size}.')
        self.out_indices = tuple(out_indices)
        self.pool_size = pool_size
        self.pool5 = pool5
        in_channels = 3
        for block, (num_convs, channels, dilation, _) in enumerate(_BLOCKS, start=1):
            for index in range(1, num_convs + 1):
                conv = nn.Conv2d(in_channels, channels, 3, padding=dilation, dilation=dilation)
                conv.requires_grad_(block > frozen_stages)
                self.add_module(f'conv{block}_{index}', conv)
                in_channels = channels
        if len(_BLOCKS) not in self.out_indices:
            return  # unused parameters would stop a distributed run
        self.fc6 = nn.Conv2d(
            in_channels, _FC_CHANNELS, 3, padding=fc6_dilation, dilation=fc6_dilation
        )
        self.fc7 = nn.Conv2d(_FC_CHANNELS, _FC_CHANNELS, 1)
        after_fc6, after_fc7 = dropout if isinstance(dropout, tuple | list) else (dropout, dropout)
        self.dropout6 = nn.Dropout2d(after_fc6)
        self.dropout7 = nn.Dropout2d(after_fc7)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the features of ``out_indices``, in ascending order."""
        x = images
        feats = []
        for block, (num_convs, _, _, stride) in enumerate(_BLOCKS, start=1):
            for index in range(1, num_convs + 1):
                x = F.relu(getattr(self, f'conv{block}_{index}')(x))
            feats.append(x)
            if block < len(_BLOCKS) or self.pool5:
                size = self.pool_size if stride == 2 else 3
                x = F.max_pool2d(x, size, stride=stride, padding=(size - 1) // 2)
        if len(_BLOCKS) in self.out_indices:
            if self.pool5:
                x = F.avg_pool2d(x, 3, stride=1, padding=1)
            x = self.dropout6(F.relu(self.fc6(x)))
            feats.append(self.dropout7(F.relu(self.fc7(x))))
        return tuple(feat for index, feat in enumerate(feats) if index in self.out_indices)
