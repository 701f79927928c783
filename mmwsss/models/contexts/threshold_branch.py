"""Context that predicts a threshold per class alongside the features of the classifier."""

import math

import torch
from torch import Tensor, nn

from mmwsss.models.heads.cam_head import linear_scores
from mmwsss.registry import MODELS
from mmwsss.structures import Context


@MODELS.register_module()
class ThresholdBranch(Context):
    """Predicts threshold maps, a temperature per class and features with fewer channels.

    ``tau = W_t x`` is the threshold map before the sigmoid and ``x' = W_d x`` the input of the
    classifier, both without bias or activation. The threshold of class c in an image is the sigmoid
    of the mean of ``tau_c``; it separates the probabilities ``sigmoid(exp(T_c) W_c x')``, where T
    is the logarithm of a learnable temperature. The score map of the head remains ``W x'``, without
    temperature, as it is the class activation map.

    Args:
        in_channels: Channels C of the features.
        num_classes: Number K of foreground classes.
        channels: Channels of the features for the classifier, or None to leave them as they are.
        init_scale: Initial ``exp(T)`` for all classes.
        init_cfg: Weight initialisation; Xavier uniform by default.

    Attributes:
        out_channels: Channels of the returned features, which is the head's ``in_channels``.
        num_classes: Number K of foreground classes, as in the head.

    Shape:
        x (B, C, h, w); returns features (B, channels or C, h, w) and the parts ``threshold_map``
        (B, K, h, w) and ``log_temperature`` (K,).

    Raises:
        ValueError: If ``init_scale`` is not positive.

    Source: Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised Semantic Segmentation",
        ECCV 2022, section 3.4. The single convolution, the reduced features and the temperature are
        from the published code. Differs: that code has one convolution per class, whose rows are
        stacked here into the head's single classifier.
    """

    provides: tuple[str, ...] = ('threshold_map', 'log_temperature')

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        channels: int | None = 128,
        init_scale: float = 10.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Xavier', layer='Conv2d', distribution='uniform'))
        if init_scale <= 0:
            raise ValueError(
                f'init_scale must be > 0, got {init_scale}. It multiplies the scores before the '
                'sigmoid; with about 10, scores below 1 can reach any probability.'
            )
        self.num_classes = num_classes
        self.out_channels = in_channels if channels is None else channels
        self.threshold = nn.Conv2d(in_channels, num_classes, 1, bias=False)
        self.reduction = (
            None if channels is None else nn.Conv2d(in_channels, channels, 1, bias=False)
        )
        self.log_temperature = nn.Parameter(torch.full((num_classes,), math.log(init_scale)))

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the features for the classifier, and the parts."""
        parts = {
            'threshold_map': linear_scores(x, self.threshold.weight.flatten(1)),
            'log_temperature': self.log_temperature,
        }
        if self.reduction is not None:
            x = linear_scores(x, self.reduction.weight.flatten(1))
        return x, parts
