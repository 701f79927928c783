"""Context that adds the centroids most similar to each position, by a softmax of similarities.

Legend: B images, C channels, K foreground classes, N centroids per class, M = K N.

Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
Segmentation", CVPR 2022, section 3.2, semantic aggregation.
"""

import torch
from torch import Tensor, nn

from mmwsss.models.contexts.centroid_context import CentroidContext
from mmwsss.models.heads.cam_head import linear_scores
from mmwsss.registry import MODELS


def centroid_shares(feats: Tensor, centroids: Tensor, valid: Tensor) -> Tensor:
    """Share of every centroid in each position, ``S = softmax(F Q^T)``.

    Args:
        feats: F, (B, C, h, w).
        centroids: Q, finite, (M, C).
        valid: Which centroids take part, bool (M,).

    Returns:
        S, (B, M, h, w); uniform if no centroid is valid.
    """
    affinity = linear_scores(feats, centroids)  # (B, M, h, w)
    # The lowest number instead of -inf, which would give NaN if no centroid is valid.
    lowest = torch.finfo(affinity.dtype).min
    return _softmax_of_channels(affinity.where(valid[:, None, None], lowest))


def softmax_aggregation(feats: Tensor, centroids: Tensor, valid: Tensor) -> Tensor:
    """Mean of the centroids, weighted by their similarity to each position.

    ``F' = S Q`` with S of :func:`centroid_shares`, which has the same arguments.

    Returns:
        F', (B, C, h, w); 0 if no centroid is valid.
    """
    return _weighted_mean(centroid_shares(feats, centroids, valid), centroids, valid)


def _weighted_mean(shares: Tensor, centroids: Tensor, valid: Tensor) -> Tensor:
    return linear_scores(shares, (centroids * valid.unsqueeze(1)).T)


@torch.no_grad()
def share_entropies(shares: Tensor) -> dict[str, Tensor]:
    """How many centroids a position uses, and how many all positions use together, as entropies.

    Both are in nats, from 0 for one centroid to log M for equal use of all. If the first is near 0,
    a position copies its nearest centroid; if the second is, all positions copy the same one.

    Args:
        shares: S, (B, M, h, w), which sum to 1 over M.

    Returns:
        ``aggregation_entropy``, the mean over positions of the entropy of S, and
        ``centroid_usage_entropy``, the entropy of the mean of S over positions.
    """
    usage = shares.mean(dim=(0, 2, 3))  # (M,)
    return {
        'aggregation_entropy': -torch.xlogy(shares, shares).sum(dim=1).mean(),
        'centroid_usage_entropy': -torch.xlogy(usage, usage).sum(),
    }


def _softmax_of_channels(scores: Tensor) -> Tensor:
    """Softmax over the channels that keeps the memory format, which PyTorch's does not."""
    if scores.is_contiguous(memory_format=torch.channels_last):
        return scores.permute(0, 2, 3, 1).softmax(dim=3).permute(0, 3, 1, 2)
    return scores.softmax(dim=1)


@MODELS.register_module()
class SemanticAggregation(CentroidContext):
    """Adds to each position the region centroids, over all images, most similar to it.

    For features F and the centroids Q of all classes, ``S = softmax(F Q^T)``, ``F' = S Q`` and the
    classifier sees ``[F, F']``. Until there are centroids, F' is 0. The coarse class map is linear.
    As in the paper, features are not normalised, so S may be close to one-hot. The training log
    therefore includes the entropies of S (:func:`share_entropies`).

    Args:
        in_channels: C.
        num_classes: K.
        centroids: N.
        init_cfg: Weight initialisation; N(0, 0.01) for convolutions by default.

    Source: Zhou et al., CVPR 2022, section 3.2. The published code has another form, see
        :class:`ProjectedAggregation`.
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
        self.out_channels = 2 * in_channels
        self.coarse = nn.Sequential(nn.Conv2d(in_channels, num_classes, 1, bias=False))

    def aggregate(self, x: Tensor) -> Tensor:
        """F' of features x (B, C, h, w), of the same shape, float32."""
        with torch.autocast(x.device.type, enabled=False):
            centroids, valid = self.centroids.flatten(0, 1), self.valid.flatten()
            shares = centroid_shares(x.float(), centroids, valid)
            if self.training:
                self.diagnostics = share_entropies(shares)
            return _weighted_mean(shares, centroids, valid)
