"""Learning from two pseudo label maps that disagree.

Legend: B images, K foreground classes, H x W pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmwsss.models.losses.process_sums import sum_over_processes
from mmwsss.registry import MODELS
from mmwsss.structures import IGNORE_INDEX

# Smaller than any sum of confidences that matters, as these are sums over whole pixels.
_EPS = 1e-12


def label_confidence(cosines: Tensor, label: Tensor, *, gamma: float) -> Tensor:
    r"""How much the class centres support the label of every pixel.

    .. math:: \sigma = (D_y / \max_k D_k)^\gamma, \quad D_k = 1 + \cos(\phi, W_k)

    Args:
        cosines: Cosine between feature and class weights, (B, 1+K, H, W).
        label: Label map without ignored values, long (B, H, W).
        gamma: Damping; a larger one trusts fewer pixels.

    Returns:
        Confidence in [0, 1], (B, H, W). It is 1 where the label is the best class.
    """
    own = cosines.gather(1, label.unsqueeze(1)).squeeze(1)  # (B, H, W)
    # Shifting after the maximum keeps full-size copies out of the graph.
    best = cosines.max(dim=1).values
    # Rounding may push a cosine below -1, and a power of a negative number is NaN.
    return ((1 + own).clamp_min(0) / (1 + best).clamp_min(_EPS)).pow(gamma)


def _noise_aware_sums(
    cosines: Tensor,
    label: Tensor,
    aux_label: Tensor,
    *,
    temperature: float,
    gamma: float,
    detach_confidence: bool,
    ignore_index: int,
) -> Tensor:
    """Numerators and denominators (sum of CE, reliable pixels, weighted CE, weights), (4,)."""
    labelled = label != ignore_index
    reliable = labelled & (label == aux_label)
    unreliable = labelled & (label != aux_label)
    cross_entropy = F.cross_entropy(
        temperature * cosines, label, ignore_index=ignore_index, reduction='none'
    )  # (B, H, W), 0 where ignored
    safe_label = label.masked_fill(~labelled, 0)
    confidence = label_confidence(cosines, safe_label, gamma=gamma)
    if detach_confidence:
        confidence = confidence.detach()
    confidence = confidence * unreliable
    return torch.stack(
        [
            (cross_entropy * reliable).sum(),
            reliable.sum().to(cross_entropy),
            (cross_entropy * confidence).sum(),
            confidence.sum(),
        ]
    )


def noise_aware_loss(
    cosines: Tensor,
    label: Tensor,
    aux_label: Tensor,
    *,
    temperature: float = 20.0,
    gamma: float = 7.0,
    detach_confidence: bool = False,
    ignore_index: int = IGNORE_INDEX,
) -> tuple[Tensor, Tensor]:
    r"""Cross entropy where two label maps agree, confidence-weighted where they do not.

    S holds the pixels where both maps are equal, T those where they differ. Pixels whose ``label``
    is ignored are in neither. CE is the cross entropy of ``temperature * cosines``:

    .. math::
        L_{ce} = \frac{1}{|S|} \sum_S CE(y), \quad
        L_{wce} = \frac{\sum_T \sigma\, CE(y)}{\sum_T \sigma}

    A term without pixels is 0 and stays attached to the graph. In a distributed run the sums cover
    the batches of *all* processes, gradients included. N processes with B/N images each thus give
    the same result as one process with B images, and no process divides by its own near-empty T.

    Args:
        cosines: Cosine between feature and class weights, (B, 1+K, H, W).
        label: First label map, (B, H, W), the one that is learned.
        aux_label: Second label map, (B, H, W), which only says which pixels are reliable. A pixel
            for which only this map is ``ignore_index`` belongs to T.
        temperature: Factor from cosine to logit.
        gamma: Damping of the confidence, see :func:`label_confidence`.
        detach_confidence: Whether the confidence is a constant for the gradient. In the published
            code it is not a constant, and the reference gradients need False.
        ignore_index: Value of ``label`` to skip.

    Returns:
        ``(loss_ce, loss_wce)``, scalars; the published objective is ``loss_ce + 0.1 * loss_wce``.

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
    Segmentation", CVPR 2021, section 3.3. Differs from the published code: an empty S or T gives 0
    instead of NaN; sums over all processes instead of one.
    """
    sums = _noise_aware_sums(
        cosines.float(),
        label.long(),
        aux_label.long(),
        temperature=temperature,
        gamma=gamma,
        detach_confidence=detach_confidence,
        ignore_index=ignore_index,
    )
    ce_sum, num_reliable, wce_sum, confidence_sum = sum_over_processes(sums).unbind()
    return ce_sum / num_reliable.clamp_min(1), wce_sum / confidence_sum.clamp_min(_EPS)


@MODELS.register_module()
class NoiseAwareLoss(nn.Module):
    """The two terms of :func:`noise_aware_loss` as logged losses.

    Args:
        gamma: Damping of the confidence.
        weight: Weight of the second term (lambda).
        detach_confidence: Whether the confidence is a constant for the gradient.

    Shape:
        cosines (B, 1+K, H, W); label and aux_label (B, H, W); returns ``loss_ce`` and, times
        ``weight``, ``loss_wce``.

    Source: as :func:`noise_aware_loss`.
    """

    def __init__(
        self, *, gamma: float = 7.0, weight: float = 0.1, detach_confidence: bool = False
    ) -> None:
        super().__init__()
        if gamma < 0:
            raise ValueError(
                f'gamma must be >= 0, got {gamma}. 0 trusts every label; larger values trust fewer.'
            )
        self.gamma = gamma
        self.weight = weight
        self.detach_confidence = detach_confidence

    def forward(
        self,
        cosines: Tensor,
        label: Tensor,
        aux_label: Tensor,
        *,
        temperature: float,
        ignore_index: int = IGNORE_INDEX,
    ) -> dict[str, Tensor]:
        """Compare cosines with two label maps."""
        loss_ce, loss_wce = noise_aware_loss(
            cosines,
            label,
            aux_label,
            temperature=temperature,
            gamma=self.gamma,
            detach_confidence=self.detach_confidence,
            ignore_index=ignore_index,
        )
        return {'loss_ce': loss_ce, 'loss_wce': self.weight * loss_wce}
