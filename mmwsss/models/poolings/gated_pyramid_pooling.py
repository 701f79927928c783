"""Pooling weighted by a pyramid of the score map, joined level by level by learnt gates.

Legend: B images, K classes, h x w feature grid.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.registry import MODELS
from mmwsss.structures import Pooled, Pooling, image_tags

Order = Literal['coarse_to_fine', 'fine_to_coarse', 'average']


def pyramid_level(score_map: Tensor, num_bins: int) -> Tensor:
    """Mean scores of a grid of k x k cells, enlarged bilinearly to the size of the map.

    Cell i covers rows ``floor(i h / k)`` to ``ceil((i+1) h / k) - 1``. On a map with fewer rows
    than cells, cells repeat.

    Args:
        score_map: Class scores, (B, K, h, w).
        num_bins: Cells k along each side.

    Returns:
        The level ``P_k``, (B, K, h, w).
    """
    cells = F.adaptive_avg_pool2d(score_map, num_bins)  # (B, K, k, k)
    return F.interpolate(cells, score_map.shape[2:], mode='bilinear', align_corners=False)


def sign_preserving_gate(
    first: Tensor, second: Tensor, positive_weight: Tensor, negative_weight: Tensor
) -> Tensor:
    """Join two maps, positive parts with positive parts and negative with negative ones.

    With R = ReLU, ``s = sigmoid(conv+[R(x), R(y)])`` and ``t = sigmoid(conv-[R(-x), R(-y)])``, each
    with one channel for x and one for y:
    ``g(x, y) = (R(x) s_0 + R(y) s_1) / 2 - (R(-x) t_0 + R(-y) t_1) / 2``. Where x and y agree in
    sign, the result has that sign.

    Args:
        first: x, (B, K, h, w).
        second: y, shaped as x.
        positive_weight: 3x3 convolution without bias, (2, 2K, 3, 3); the first K input channels
            belong to x.
        negative_weight: The same for the negative parts.

    Returns:
        The joined map, (B, K, h, w).

    Source: Yoon et al., "Adversarial Erasing Framework via Triplet with Gated Pyramid Pooling Layer
        for Weakly Supervised Semantic Segmentation", ECCV 2022, eq. 2-4. The weights of signs and
        levels are separate, as in the published code.
    """
    positive = _attended(first.relu(), second.relu(), positive_weight)
    negative = _attended((-first).relu(), (-second).relu(), negative_weight)
    return (positive - negative) / 2


def _attended(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    both = torch.cat([first, second], dim=1)  # (B, 2K, h, w)
    gates = F.conv2d(both, weight, padding=1).sigmoid()  # (B, 2, h, w)
    return first * gates[:, :1] + second * gates[:, 1:]


def gated_pyramid(
    score_map: Tensor, gate_weights: Sequence[tuple[Tensor, Tensor]], *, bins: Sequence[int]
) -> Tensor:
    """Join the levels of the pyramid one after the other, ``Q_k = g_k(Q_{k-1}, P_k)``.

    Args:
        score_map: Class scores, (B, K, h, w).
        gate_weights: Positive and negative weight of every gate, one gate fewer than ``bins``.
        bins: Cells per side of every level, in the order in which levels are joined.

    Returns:
        The gated map, (B, K, h, w).
    """
    joined = pyramid_level(score_map, bins[0])
    for num_bins, weights in zip(bins[1:], gate_weights, strict=True):
        joined = sign_preserving_gate(joined, pyramid_level(score_map, num_bins), *weights)
    return joined


def signed_aggregation(score_map: Tensor, gated_map: Tensor) -> Tensor:
    """Logits that weight every score by the gated map: evidence for minus evidence against.

    ``p_c = mean_hw R(x_c) R(q_c) - mean_hw R(-x_c) R(-q_c)`` of scores x and gated map q, both
    (B, K, h, w); returns (B, K).

    Source: as :func:`sign_preserving_gate`, section 3.3.
    """
    positive = score_map.relu() * gated_map.relu()
    negative = (-score_map).relu() * (-gated_map).relu()
    return (positive - negative).mean(dim=(2, 3))


@MODELS.register_module()
class GatedPyramidPooling(Pooling):
    """Weight the score map by its own pyramid, which learnt gates join from coarse to fine.

    Args:
        num_classes: Foreground classes K, as many as the head has.
        bins: Cells per side of every level, increasing. A single level has no gate.
        order: End from which the levels are joined, or the plain mean of all levels.
        init_cfg: Initialisation of the gates; that of PyTorch's convolutions by default.

    Shape:
        score_map (B, K, h, w), signed; logits (B, K), multi-hot targets (B, K), ``gated_map``
        (B, K, h, w) in single precision.

    Raises:
        ValueError: ``bins`` do not increase, the order is unknown, or the score map has a different
            number of classes.

    Source: as :func:`sign_preserving_gate`, section 3.3; orders and mean as in its ablation.
    """

    provides: tuple[str, ...] = ('gated_map',)
    num_classes: int

    def __init__(
        self,
        num_classes: int,
        *,
        bins: Sequence[int] = (2, 4, 8, 16),
        order: Order = 'coarse_to_fine',
        init_cfg: dict | None = None,
    ) -> None:
        # The head would initialise the gates like its own convolutions, with weights around zero.
        uniform = dict(type='Kaiming', layer='Conv2d', a=math.sqrt(5), distribution='uniform')
        uniform |= dict(mode='fan_in', nonlinearity='leaky_relu')
        super().__init__(init_cfg or uniform)
        _check_options(bins, order)
        self.num_classes = num_classes
        self.bins = tuple(bins)
        self.order = order
        num_gates = 0 if order == 'average' else len(self.bins) - 1
        self.positive_gates = nn.ModuleList(self._gate() for _ in range(num_gates))
        self.negative_gates = nn.ModuleList(self._gate() for _ in range(num_gates))

    def _gate(self) -> nn.Conv2d:
        return nn.Conv2d(2 * self.num_classes, 2, 3, padding=1, bias=False)

    def gated_map(self, score_map: Tensor) -> Tensor:
        """Weight of every position for every class, (B, K, h, w)."""
        if score_map.size(1) != self.num_classes:
            raise ValueError(
                f'GatedPyramidPooling has num_classes={self.num_classes}, but the score map has '
                f'{score_map.size(1)} channels. Give it the `num_classes` of the head.'
            )
        if self.order == 'average':
            levels = [pyramid_level(score_map, num_bins) for num_bins in self.bins]
            return torch.stack(levels).mean(dim=0)
        bins = self.bins if self.order == 'coarse_to_fine' else self.bins[::-1]
        gates: Any = zip(self.positive_gates, self.negative_gates, strict=True)
        weights = [(positive.weight, negative.weight) for positive, negative in gates]
        return gated_pyramid(score_map, weights, bins=bins)

    def forward(
        self, feats: Tensor, score_map: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> Pooled:
        """Pool the whole image; targets are the samples' ``gt_score``."""
        logits, gated_map = self._pool(score_map)
        targets = None if data_samples is None else image_tags(data_samples)
        return Pooled(logits, targets, {'gated_map': gated_map})

    def image_scores(self, score_map: Tensor) -> Tensor:
        """Probability of every class, (B, K)."""
        return self._pool(score_map)[0].sigmoid()

    def _pool(self, score_map: Tensor) -> tuple[Tensor, Tensor]:
        # Products of scores exceed the range of half precision.
        with torch.autocast(score_map.device.type, enabled=False):
            score_map = score_map.float()
            gated_map = self.gated_map(score_map)
            return signed_aggregation(score_map, gated_map), gated_map


def _check_options(bins: Sequence[int], order: str) -> None:
    if not bins or min(bins) < 1 or list(bins) != sorted(set(bins)):
        raise ValueError(f'Expected `bins` to be increasing numbers of cells, got {tuple(bins)}.')
    orders = ('coarse_to_fine', 'fine_to_coarse', 'average')
    if order not in orders:
        raise ValueError(f'Expected `order` to be one of {orders}, got {order!r}.')
