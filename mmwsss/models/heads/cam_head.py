"""Head that scores every position with a linear classifier and pools the scores."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, Context, Head, Pooling, check_contract


def linear_scores(feats: Tensor, weights: Tensor) -> Tensor:
    """Score every position linearly, ``s(p) = W f(p)``.

    Same as a bias-free 1x1 convolution, in the memory format of the features. A matrix product
    reads the features in place, whereas a convolution on a CPU reorders them first.

    Args:
        feats: Features (B, C, h, w).
        weights: One row per class, (K, C).

    Returns:
        Scores (B, K, h, w).
    """
    if feats.is_contiguous(memory_format=torch.channels_last):
        return F.linear(feats.permute(0, 2, 3, 1), weights).permute(0, 3, 1, 2)
    # Expanded, because otherwise `@` copies the features to make one product of all images.
    scores = torch.bmm(weights.expand(len(feats), -1, -1), feats.flatten(2))
    return scores.unflatten(2, feats.shape[2:])


@MODELS.register_module()
class CAMHead(Head):
    """Optional context, 1x1 classifier whose output is the class activation map, and pooling.

    The classifier has no bias, so a pooled score is the score of the pooled feature: ``sum_p a_p (W
    f_p) = W (sum_p a_p f_p)``. A pooling therefore pools the few score channels instead of the many
    feature channels.

    Args:
        in_channels: Channels C of the features that the classifier sees, after the context.
        num_classes: Number K of foreground classes.
        pooling: Config of the pooling. If it sets ``with_background``, the classifier has a leading
            background channel, 1+K channels in all.
        context: Config of a module that enriches the features before they are classified.
        dropout: Probability of dropping a whole feature channel before the classifier.
        in_index: Which of the feature maps to score.
        init_cfg: Weight initialisation; N(0, 0.01) by default.

    Shape:
        tuple of feature maps, the scored one (B, C, h, w); score_map (B, K or 1+K, h, w); logits
        (R, K or 1+K).

    Source:
        Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, eq. 1-2.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        pooling: dict,
        context: dict | None = None,
        dropout: float = 0.0,
        in_index: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.01))
        self.num_classes = num_classes
        self.in_index = in_index
        self.pooling: Pooling = check_contract(MODELS.build(pooling), Pooling, 'pooling')
        self.context: Context | None = None
        if context:
            self.context = check_contract(MODELS.build(context), Context, 'context')
            self._check_channels(self.context, in_channels)
        for part in self.parts:
            if part.num_classes not in (None, num_classes):
                raise ValueError(
                    f'num_classes of {type(self).__name__} is {num_classes}, but its '
                    f'{type(part).__name__} has num_classes={part.num_classes}. Set both to the '
                    'number of foreground classes.'
                )
        self.dropout = nn.Dropout2d(dropout)
        num_scores = num_classes + int(self.pooling.with_background)
        self.classifier = nn.Conv2d(in_channels, num_scores, 1, bias=False)

    def _check_channels(self, context: Context, in_channels: int) -> None:
        if context.out_channels not in (None, in_channels):
            raise ValueError(
                f'in_channels of {type(self).__name__} is {in_channels}, but '
                f'{type(context).__name__} gives features of {context.out_channels} channels. The '
                f'classifier sees those: set in_channels={context.out_channels}.'
            )

    @property
    def parts(self) -> tuple[Pooling | Context, ...]:
        """The pooling and, if there is one, the context."""
        return (self.pooling,) if self.context is None else (self.pooling, self.context)

    @property
    def provides(self) -> tuple[str, ...]:
        """Names of the parts that pooling and context put into the outputs."""
        return tuple(name for part in self.parts for name in part.provides)

    @property
    def class_weights(self) -> Tensor:
        """Weights of the classifier, (K or 1+K, C)."""
        return self.classifier.weight.flatten(1)

    def forward(self, feats: tuple[Tensor, ...], data_samples: list | None = None) -> CAMOutputs:
        """Score all positions and pool them; without data samples the whole image is pooled."""
        x = feats[self.in_index]
        parts = {}
        if self.context is not None:
            x, parts = self.context(x)
        score_map = self.score(self.dropout(x))
        pooled = self.pooling(x, score_map, data_samples)
        parts = {**parts, **pooled.parts}
        return CAMOutputs(x, score_map, pooled.logits, pooled.targets, parts)

    def score(self, feats: Tensor) -> Tensor:
        """Score features (B, C, h, w) with the classifier: (B, K or 1+K, h, w).

        Even under autocast, this runs in the precision of the weights. The scores are the
        activation maps, and features of a context may exceed the range of half precision.
        """
        with torch.autocast(feats.device.type, enabled=False):
            return linear_scores(feats.to(self.class_weights.dtype), self.class_weights)

    def image_scores(self, outputs: CAMOutputs) -> Tensor:
        """Probabilities of the foreground classes in the image, (B, K).

        If the context has a temperature T, probabilities are ``sigmoid(exp(T) z)``, so the pooling
        sees the scores times ``exp(T)``. This does not apply if background is a class, as it has no
        temperature.
        """
        score_map = outputs.score_map
        if 'log_temperature' in outputs.parts and not self.pooling.with_background:
            score_map = score_map * outputs.parts['log_temperature'].exp().view(-1, 1, 1)
        return self.pooling.image_scores(score_map)

    def foreground(self, score_map: Tensor) -> Tensor:
        """Drop the background channel, if there is one: (B, K, h, w)."""
        return score_map[:, int(self.pooling.with_background) :]
