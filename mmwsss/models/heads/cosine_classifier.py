"""Classification by the angle between a feature and the class weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPS = 1e-12


def cosine_logits(feats: Tensor, weight: Tensor, *, temperature: float) -> Tensor:
    r"""Scaled cosine between every feature and every class weight.

    .. math::
        z_k = t \langle norm(f), norm(w_k) \rangle, \quad norm(v) = v / \max(|v|, 10^{-12})

    Args:
        feats: Features, (B, C, h, w).
        weight: Class weights, (K, C, 1, 1).
        temperature: Factor from cosine to logit.

    Returns:
        Logits in [-temperature, temperature], (B, K, h, w).
    """
    # Dividing the K scores by the norm equals normalising the C channels, for a fraction of the
    # memory. The norm is taken in single precision because its square overflows in half precision.
    norm = torch.linalg.vector_norm(feats, dim=1, keepdim=True, dtype=torch.float32)
    scores = F.conv2d(feats, F.normalize(weight, dim=1, eps=_EPS))
    return temperature * (scores / norm.clamp_min(_EPS))


class CosineClassifier(nn.Module):
    """A bias-free 1x1 classifier whose logits are scaled cosines, see :func:`cosine_logits`.

    Args:
        channels: Channels C of the features.
        num_classes: Classes K.
        temperature: Factor from cosine to logit.

    Shape:
        feats (B, C, h, w); returns (B, K, h, w).

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
    Segmentation", CVPR 2021, section 3.3; the temperature is that of the published code.
    """

    def __init__(self, channels: int, num_classes: int, *, temperature: float = 20.0) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(
                f'temperature must be > 0, got {temperature}. It scales cosines in [-1, 1] to '
                'logits; with about 20 a softmax over some twenty classes saturates.'
            )
        self.temperature = temperature
        # Stored as a 1x1 convolution, so that checkpoints are interchangeable with a plain
        # classifier.
        self.weight = nn.Parameter(torch.empty(num_classes, channels, 1, 1))
        nn.init.normal_(self.weight, std=0.01)

    def forward(self, feats: Tensor) -> Tensor:
        """Score every position."""
        return cosine_logits(feats, self.weight, temperature=self.temperature)

    def extra_repr(self) -> str:
        """Sizes, for printing the model."""
        num_classes, channels = self.weight.shape[:2]
        return f'{channels}, {num_classes}, temperature={self.temperature}'
