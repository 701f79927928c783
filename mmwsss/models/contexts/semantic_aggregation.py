"""Context that adds what a data set knows about every position to the features.

Legend: B images, C channels, K foreground classes, N centroids a class, M = K N.

Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
Segmentation", CVPR 2022, section 3.2, semantic aggregation.
"""

from typing import Literal

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsss.models.heads.cam_head import linear_scores
from mmwsss.registry import MODELS


def softmax_aggregation(
    queries: Tensor, keys: Tensor, values: Tensor, valid: Tensor, *, scale: float
) -> Tensor:
    """Mean of the values, by how much their keys look like each position.

    ``F' = S v`` with ``S = softmax(scale q k^T)``.

    Args:
        queries: q, (B, C, h, w).
        keys: k, finite, (M, C).
        values: v, finite, (M, C).
        valid: Which centroids take part, bool (M,).
        scale: Factor of the products.

    Returns:
        F', (B, C, h, w); 0 if no centroid is valid.
    """
    affinity = linear_scores(queries, scale * keys)  # (B, M, h, w)
    # The lowest number and not -inf, with which no valid centroid would give NaN.
    lowest = torch.finfo(affinity.dtype).min
    affinity = _softmax_of_channels(affinity.where(valid[:, None, None], lowest))
    return linear_scores(affinity, (values * valid.unsqueeze(1)).T)


def _softmax_of_channels(scores: Tensor) -> Tensor:
    """Softmax over the channels that keeps the memory format; torch's alone makes it contiguous."""
    if scores.is_contiguous(memory_format=torch.channels_last):
        return scores.permute(0, 2, 3, 1).softmax(dim=3).permute(0, 3, 1, 2)
    return scores.softmax(dim=1)


def folded_aggregation(keys: Tensor, values: Tensor, valid: Tensor, *, scale: float) -> Tensor:
    """Matrix A of the aggregation without a softmax, ``F' = (scale q k^T) v = q A^T``.

    So the affinities of n positions and M centroids are never built.

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
    """Linear layers with a bias for query, key, value and result, C to C channels each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Conv2d(channels, channels, 1)

    def around(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Query, a linear map A (C, C) and result as one: its matrix (C, C) and bias (C,)."""
        after = self.output.weight.flatten(1) @ matrix
        weight = after @ self.query.weight.flatten(1)
        return weight, torch.addmv(self.output.bias, after, self.query.bias)


@MODELS.register_module()
class SemanticAggregation(BaseModule):
    """Adds to every position the centroids of regions, of all images, that look like it.

    With features F and the centroids Q of all classes ``S = softmax(F Q^T)``, ``F' = S Q`` and the
    classifier sees ``[F, F']``. The centroids are constant; ``RegionCentroidsHook`` makes them from
    a memory of regions. Until there are any, F' is 0. They are buffers: ``centroids`` (K, N, C)
    and ``valid`` bool (K, N), saved with a checkpoint, which prediction needs.

    Args:
        in_channels: C.
        num_classes: K.
        centroids: N.
        affinity: ``'softmax'`` is the paper's. ``'scaled'`` has no softmax, ``S = scale F Q^T``, as
            in the published code; then ``F' = F A^T`` with one C x C matrix.
        scale: Factor of the products; by default 1 with ``'softmax'`` and K / N with ``'scaled'``.
        projections: Learn linear layers with a bias for query, key, value and F', as published:
            ``S = Q(F) K(Q)^T`` and ``F' = O(S V(Q))``. Without centroids F' is then O's bias.
        reduce: Channels to which a 1x1 convolution with a bias brings ``[F, F']``; the published
            code has C. None leaves the 2 C channels.
        coarse_convs: 3x3 convolutions with ReLU before the 1x1 one of the coarse class map; the
            published code has 3, and then a bias at the end. The paper's map is linear.
        official: Centroids start as standard normal noise that takes part, as in the published
            code, which has it for the first epoch.
        init_cfg: Weight initialisation; N(0, 0.01) for convolutions by default.

    Attributes:
        out_channels: Channels of the returned features, the head's ``in_channels``.
        num_classes: K.

    Shape:
        x (B, C, h, w); returns features (B, 2 C or ``reduce``, h, w) and the parts ``coarse_map``
        (B, K, h, w), the class map of the features alone, and ``local_feats``, x itself.

    Raises:
        ValueError: An option has no meaning.

    Source: Zhou et al., CVPR 2022, section 3.2. Differs from the published code: see the options.
    """

    provides: tuple[str, ...] = ('coarse_map', 'local_feats')
    centroids: Tensor
    valid: Tensor

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        centroids: int = 10,
        affinity: Literal['softmax', 'scaled'] = 'softmax',
        scale: float | None = None,
        projections: bool = False,
        reduce: int | None = None,
        coarse_convs: int = 0,
        official: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.01))
        _check_options(centroids, affinity, scale, coarse_convs)
        self.num_classes = num_classes
        self.affinity = affinity
        default_scale = 1.0 if affinity == 'softmax' else num_classes / centroids
        self.scale = default_scale if scale is None else scale
        start = torch.randn if official else torch.zeros
        self.register_buffer('centroids', start(num_classes, centroids, in_channels))
        self.register_buffer('valid', torch.full((num_classes, centroids), official))
        self.projections = Projections(in_channels) if projections else None
        self.reduction = nn.Conv2d(2 * in_channels, reduce, 1) if reduce else None
        self.out_channels = reduce or 2 * in_channels
        self.coarse = _coarse_branch(in_channels, num_classes, coarse_convs)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the features for the classifier, and the parts."""
        enriched = torch.cat([x, self.aggregate(x).to(x.dtype)], dim=1)  # (B, 2 C, h, w)
        if self.reduction is not None:
            enriched = self.reduction(enriched)
        return enriched, {'coarse_map': self.coarse(x), 'local_feats': x}

    def aggregate(self, x: Tensor) -> Tensor:
        """F' of features x (B, C, h, w), of the same shape, float32.

        In single precision also under autocast: products of long vectors overflow in half.
        """
        with torch.autocast(x.device.type, enabled=False):
            x, keys, valid = x.float(), self.centroids.flatten(0, 1), self.valid.flatten()
            layers = self.projections
            values = keys if layers is None else layers.value(keys)
            keys = keys if layers is None else layers.key(keys)
            if self.affinity == 'softmax':
                queries = x if layers is None else layers.query(x)
                result = softmax_aggregation(queries, keys, values, valid, scale=self.scale)
                return result if layers is None else layers.output(result)
            matrix = folded_aggregation(keys, values, valid, scale=self.scale)
            if layers is None:
                return linear_scores(x, matrix)
            # Matrices are multiplied with each other before the features, which are far more.
            weight, bias = layers.around(matrix)
            return linear_scores(x, weight) + bias[:, None, None]

    @torch.no_grad()
    def set_centroids(self, centroids: Tensor, valid: Tensor) -> None:
        """Replace the centroids; those that are not finite are not valid.

        Args:
            centroids: (K, N, C).
            valid: bool (K, N).

        Raises:
            ValueError: The shape is another one.
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


def _coarse_branch(in_channels: int, num_classes: int, num_convs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(num_convs):
        layers += [nn.Conv2d(in_channels, in_channels, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(in_channels, num_classes, 1, bias=num_convs > 0))


def _check_options(centroids: int, affinity: str, scale: float | None, coarse_convs: int) -> None:
    if affinity not in ('softmax', 'scaled'):
        raise ValueError(f"Expected `affinity` to be 'softmax' or 'scaled', got {affinity!r}.")
    if centroids < 1 or coarse_convs < 0:
        raise ValueError(
            'Expected `centroids` to be at least 1 and `coarse_convs` at least 0, got '
            f'{centroids} and {coarse_convs}.'
        )
    if scale is not None and scale <= 0:
        raise ValueError(f'Expected `scale` to be above 0, got {scale}.')
