"""Context that adds learned projections of the centroids similar to each position.

Legend: B images, C channels, K foreground classes, N centroids per class, M = K N.

Source: the published code of Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly
Supervised Semantic Segmentation", CVPR 2022.
"""

import torch
from torch import Tensor, nn

from mmwsss.models.contexts.centroid_context import CentroidContext
from mmwsss.models.heads.cam_head import linear_scores
from mmwsss.registry import MODELS


def folded_aggregation(keys: Tensor, values: Tensor, valid: Tensor, *, scale: float) -> Tensor:
    """Matrix A of the aggregation without a softmax, ``F' = (scale q k^T) v = q A^T``.

    The affinities of n positions and M centroids are thus never built.

    Args:
        keys: k, (M, C).
        values: v, (M, C).
        valid: Which centroids take part, bool (M,).
        scale: Factor of the affinities.

    Returns:
        A, (C, C); 0 if no centroid is valid.
    """
    return scale * values.T @ (keys * valid.unsqueeze(1))


class Projections(nn.Module):
    """Linear layers with bias for query, key, value and result, each from C to C channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Conv2d(channels, channels, 1)

    def around(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Query, a linear map A (C, C) and result combined into a matrix (C, C) and a bias (C,)."""
        after = self.output.weight.flatten(1) @ matrix
        weight = after @ self.query.weight.flatten(1)
        bias = torch.addmv(self.output.bias, after, self.query.bias)  # type: ignore[arg-type]  # both have one
        return weight, bias


@MODELS.register_module()
class ProjectedAggregation(CentroidContext):
    """Semantic aggregation as published: learned projections, no softmax, reduced channels.

    For features F, the centroids Q of all classes and linear layers with bias, ``S = K/N query(F)
    key(Q)^T`` and ``F' = output(S value(Q))``. The classifier sees C channels, a 1x1 convolution of
    ``[F, F']``. The coarse class map comes from three 3x3 convolutions with ReLU and a 1x1
    convolution. Centroids start as standard normal noise, which takes part from the start. If no
    centroid is valid, F' is the bias of ``output``.

    Args:
        in_channels: C.
        num_classes: K.
        centroids: N.
        init_cfg: Weight initialisation; N(0, 0.01) for convolutions by default.

    Shape:
        As in :class:`CentroidContext`, but the returned features are (B, C, h, w).

    Source: the published code of Zhou et al., CVPR 2022. The paper's form is
        :class:`SemanticAggregation`.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        centroids: int = 10,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(in_channels, num_classes, centroids=centroids, init_cfg=init_cfg)
        self.set_centroids(torch.randn_like(self.centroids), torch.ones_like(self.valid))
        self.scale = num_classes / centroids
        self.projections = Projections(in_channels)
        self.reduction = nn.Conv2d(2 * in_channels, in_channels, 1)
        self.out_channels = in_channels
        self.coarse = _coarse_branch(in_channels, num_classes)

    def aggregate(self, x: Tensor) -> Tensor:
        """F' of features x (B, C, h, w), of the same shape, float32."""
        with torch.autocast(x.device.type, enabled=False):
            centroids, layers = self.centroids.flatten(0, 1), self.projections
            matrix = folded_aggregation(
                layers.key(centroids),
                layers.value(centroids),
                self.valid.flatten(),
                scale=self.scale,
            )
            # Multiply the matrices first: the features have far more rows.
            weight, bias = layers.around(matrix)
            return linear_scores(x.float(), weight) + bias[:, None, None]

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the features for the classifier, and the parts."""
        enriched, parts = super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.reduction(enriched), parts


def _coarse_branch(in_channels: int, num_classes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(3):
        layers += [nn.Conv2d(in_channels, in_channels, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(in_channels, num_classes, 1))
