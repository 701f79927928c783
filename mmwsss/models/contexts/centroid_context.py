"""Contexts that enrich features with the centroids of a whole data set's regions.

Legend: B images, C channels, K foreground classes, N centroids per class.

Source of all: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised
Semantic Segmentation", CVPR 2022, section 3.2, semantic aggregation.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmwsss.structures import Context, StagePlan, UserInputError


class CentroidContext(Context):
    """Enriches each position with the region centroids, over all images, that are similar to it.

    A subclass says how they are aggregated and has a branch ``coarse`` on the features without
    them. The centroids are constants, which ``RegionCentroidsHook`` makes from a memory of regions.
    They are kept in the buffers ``centroids`` (K, N, C) and ``valid``, bool (K, N), so that a
    checkpoint has what prediction needs.

    Args:
        in_channels: C.
        num_classes: K.
        centroids: N.
        init_cfg: Weight initialisation; N(0, 0.01) for convolutions by default.

    Attributes:
        out_channels: Channels of the returned features, which is the head's ``in_channels``.
        num_classes: K.
        diagnostics: Figures of the last training step for the log, by name.

    Shape:
        x (B, C, h, w); returns features (B, 2 C, h, w), float32 also under autocast, and the parts
        ``coarse_map`` (B, K, h, w), the class map of the features without centroids, and
        ``local_feats``, which is x.

    Raises:
        ValueError: If ``centroids`` is below 1.
    """

    provides: tuple[str, ...] = ('coarse_map', 'local_feats')
    centroids: Tensor
    valid: Tensor
    coarse: nn.Module

    def __init__(
        self, in_channels: int, num_classes: int, *, centroids: int, init_cfg: dict | None
    ) -> None:
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.01))
        if centroids < 1:
            raise ValueError(f'Expected `centroids` to be at least 1, got {centroids}.')
        self.num_classes = num_classes
        self.diagnostics: dict[str, Tensor] = {}
        self.register_buffer('centroids', torch.zeros(num_classes, centroids, in_channels))
        self.register_buffer('valid', torch.zeros(num_classes, centroids, dtype=torch.bool))

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse a training stage that gets centroids from neither a hook nor a checkpoint."""
        given = stage.config.get('load_from') or 'load_from' in stage.taken
        if stage.task == 'train' and not given and not stage.has_hook('RegionCentroidsHook'):
            raise UserInputError(
                f'{key}: custom_hooks has no RegionCentroidsHook to give {cls.__name__} centroids, '
                "so it would have no effect. Add dict(type='RegionCentroidsHook', begin=..., "
                'interval=...), or set load_from to a checkpoint with centroids.'
            )

    @abstractmethod
    def aggregate(self, x: Tensor) -> Tensor:
        """F' of features x (B, C, h, w), of the same shape, float32.

        Uses single precision even under autocast, because products of long vectors overflow in half
        precision.
        """

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the features for the classifier, and the parts."""
        enriched = torch.cat([x, self.aggregate(x)], dim=1)  # (B, 2 C, h, w), float32
        return enriched, {'coarse_map': self.coarse(x), 'local_feats': x}

    @torch.no_grad()
    def set_centroids(self, centroids: Tensor, valid: Tensor) -> None:
        """Replace the centroids, of which non-finite ones become invalid.

        Args:
            centroids: (K, N, C).
            valid: bool (K, N).

        Raises:
            ValueError: A shape differs.
        """
        if centroids.shape != self.centroids.shape or valid.shape != self.valid.shape:
            raise ValueError(
                f'Expected centroids {tuple(self.centroids.shape)} and valid '
                f'{tuple(self.valid.shape)}, got {tuple(centroids.shape)} and '
                f'{tuple(valid.shape)}.'
            )
        valid = valid & centroids.isfinite().all(dim=2)
        self.valid.copy_(valid)
        self.centroids.copy_(centroids.where(valid.unsqueeze(2), 0.0))
