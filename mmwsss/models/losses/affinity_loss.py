"""Loss that compares affinities between neighbouring cells with the labels of the cells.

Legend: B images, K offsets of the stencil, h x w feature grid.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmwsss.affinity.functional import PairMasks, pair_masks
from mmwsss.models.losses.process_sums import sum_over_processes
from mmwsss.registry import MODELS

_EPS = 1e-5


class AffinityLosses(NamedTuple):
    """The three terms of the affinity loss and their weighted sum, scalars."""

    total: Tensor
    background: Tensor
    foreground: Tensor
    negative: Tensor


def affinity_loss(affinities: Tensor, masks: PairMasks) -> AffinityLosses:
    r"""Cross entropy of affinities, averaged over the pairs of each kind.

    :math:`n_x` is the number of pairs of a kind in the batch, plus 1e-5:

    .. math::
        L_{bg} = -\frac{1}{n_{bg}} \sum_{bg} \log(a + 10^{-5}), \quad
        L_{fg} = -\frac{1}{n_{fg}} \sum_{fg} \log(a + 10^{-5}), \quad
        L_{neg} = -\frac{1}{n_{neg}} \sum_{neg} \log(1 + 10^{-5} - a)

        L = L_{bg} / 4 + L_{fg} / 4 + L_{neg} / 2

    The term of a kind without pairs is 0 and stays attached to the graph. In a distributed run the
    sums cover the batches of *all* processes, gradients included, so N processes with B/N images
    each give the same result as one process with B images.

    Args:
        affinities: Affinities a in [0, 1], (B, K, h, w).
        masks: Pairs of each kind, of the same shape.

    Returns:
        The total L and the three unweighted terms.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
        Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.2. Differs from the paper, as
        the published code does: the total is a quarter of the paper's. Differs from the published
        code: sums over all processes instead of one.
    """
    affinities = affinities.to(torch.promote_types(affinities.dtype, torch.float32))
    # The gradient at an affinity of 1 depends on the order: 1 + 1e-5 is rounded first.
    log_alike, log_different = (affinities + _EPS).log(), ((1 + _EPS) - affinities).log()
    sums = [
        (log * mask).sum()
        for log, mask in zip((log_alike, log_alike, log_different), masks, strict=True)
    ]
    counts = [mask.sum().to(affinities.dtype) for mask in masks]
    totals, num_pairs = sum_over_processes(torch.stack(sums + counts)).chunk(2)
    background, foreground, negative = (-totals / (num_pairs + _EPS)).unbind()
    total = background / 4 + foreground / 4 + negative / 2
    return AffinityLosses(total, background, foreground, negative)


@MODELS.register_module()
class AffinityLoss(nn.Module):
    """The three terms of :func:`affinity_loss`, weighted, as logged losses.

    Args:
        official_border: Leave out pairs close to the border, see :func:`stencil_mask`.

    Shape:
        affinities (B, K, h, w); labels (B, h, w); returns ``loss_background``, ``loss_foreground``
        and ``loss_negative``, whose sum is the total.

    Source: as :func:`affinity_loss`.
    """

    def __init__(self, *, official_border: bool = False) -> None:
        super().__init__()
        self.official_border = official_border

    def forward(self, affinities: Tensor, labels: Tensor, *, radius: int) -> dict[str, Tensor]:
        """Compare affinities with the labels of the cells, see :func:`pair_masks`."""
        masks = pair_masks(labels, radius=radius, official_border=self.official_border)
        losses = affinity_loss(affinities, masks)
        return {
            'loss_background': losses.background / 4,
            'loss_foreground': losses.foreground / 4,
            'loss_negative': losses.negative / 2,
        }
