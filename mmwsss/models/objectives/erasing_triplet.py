"""Objective that compares an image with its erased copy and with an image of other classes."""

from typing import Literal

from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.losses.erasing_triplet_loss import (
    attraction_loss,
    choose_negatives,
    class_embeddings,
    erasing_mask,
    foreground_map,
    negative_distances,
    repulsion_loss,
)
from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, Encode, Objective, image_tags, size_of


@MODELS.register_module()
class ErasingTriplet(Objective):
    """Find the object in what is left of the image, but not in what is not the object.

    Attraction: the embedding should stay the same when the confident part of the object is erased,
    so the rest of the object gets activated. Repulsion: the low-confidence part of the image should
    differ from an image without a common class, which keeps activation from spreading beyond the
    object. Classification is left to another objective. The erased images run through the network
    as a second batch, which would enter trained batch statistics: freeze them, as published.

    Every call draws one negative per image from the batch of the process. An image that shares a
    class with all others has no negative and is left out (``DisjointPairSampler`` prevents that).
    The mean over hard images covers all processes.

    Args:
        erase_threshold: t_H, the normalised activation at which a pixel is erased. Below it, the
            pixel is multiplied by its activation. The image has been normalised, so erased pixels
            have the mean colour.
        low_threshold: t_L, below which a position has low confidence.
        attract_weight: Factor of the attraction; 0 saves the second forward pass.
        repulse_weight: Factor of the repulsion.
        margin: Squared distance at which an image is far enough from its negative.
        min_hard: Minimum number of images nearer than the margin, over all processes, for the
            repulsion to apply.
        embedding: Map whose means over space are the embeddings.
        detach_mask: Whether the gradient of the attraction stops at the mask. Published: it does
            not. Stopping it saves the gradients of the first layers if they are frozen.
        align_corners: Corner convention when maps are enlarged to the image; use that of the
            classifier.

    Raises:
        ValueError: An option has no meaning.

    Shape:
        ``outputs.images`` (B, 3, H, W); ``outputs.score_map`` and the map of the embedding (B, K,
        h, w), where a leading background channel is ignored. ``loss_attract`` and ``loss_repulse``
        are ().

    Source: Yoon et al., "Adversarial Erasing Framework via Triplet with Gated Pyramid Pooling Layer
        for Weakly Supervised Semantic Segmentation", ECCV 2022, section 3.4. Differs from the
        published code: an image without a negative is left out, whereas that code took one that may
        share a class or stopped. One hard image is enough (``min_hard=5`` there).
    """

    def __init__(
        self,
        *,
        erase_threshold: float = 0.6,
        low_threshold: float = 0.2,
        attract_weight: float = 0.2,
        repulse_weight: float = 0.15,
        margin: float = 0.5,
        min_hard: int = 1,
        embedding: Literal['gated_map', 'score_map'] = 'gated_map',
        detach_mask: bool = False,
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        _check_options(erase_threshold, low_threshold, margin, embedding)
        if min(attract_weight, repulse_weight) < 0 or attract_weight + repulse_weight == 0:
            raise ValueError(
                'Expected `attract_weight` and `repulse_weight` to be at least 0, and at least '
                f'one above 0, got {attract_weight} and {repulse_weight}.'
            )
        self.erase_threshold = erase_threshold
        self.low_threshold = low_threshold
        self.attract_weight = attract_weight
        self.repulse_weight = repulse_weight
        self.margin = margin
        self.min_hard = min_hard
        self.embedding = embedding
        self.detach_mask = detach_mask
        self.align_corners = align_corners

    @property
    def requires(self) -> tuple[str, ...]:
        """The map of the embedding, unless every head has it."""
        return () if self.embedding == 'score_map' else (self.embedding,)

    def forward(
        self,
        outputs: CAMOutputs,
        data_samples: list[SegDataSample],
        encode: Encode,
    ) -> dict[str, Tensor]:
        """Erase the images, run them again, and compare."""
        tags = image_tags(data_samples)
        losses = {}
        if self.attract_weight > 0:
            erased = encode(self._erase(outputs, tags, data_samples))
            anchor = class_embeddings(self._class_map(outputs, tags), tags)
            positive = class_embeddings(self._class_map(erased, tags), tags)
            losses['loss_attract'] = self.attract_weight * attraction_loss(anchor, positive)
        if self.repulse_weight > 0:
            negatives, valid = choose_negatives(tags)
            distances = negative_distances(
                self._class_map(outputs, tags),
                _foreground(outputs.score_map, tags),
                tags,
                negatives,
                low_threshold=self.low_threshold,
            )
            repulsion = repulsion_loss(distances, valid, margin=self.margin, min_hard=self.min_hard)
            losses['loss_repulse'] = self.repulse_weight * repulsion
        return losses

    def _erase(self, outputs: CAMOutputs, tags: Tensor, data_samples: list) -> Tensor:
        images: Tensor = outputs.images  # type: ignore[assignment]  # from a classifier
        foreground = foreground_map(
            _foreground(outputs.score_map, tags),
            tags,
            size_of(images),
            most_classes=max(len(sample.gt_label) for sample in data_samples),
            align_corners=self.align_corners,
        )
        mask = erasing_mask(foreground, threshold=self.erase_threshold)
        return images * (mask.detach() if self.detach_mask else mask).to(images.dtype)

    def _class_map(self, outputs: CAMOutputs, tags: Tensor) -> Tensor:
        if self.embedding == 'score_map':
            return _foreground(outputs.score_map, tags)
        return outputs.parts[self.embedding].float()


def _foreground(score_map: Tensor, tags: Tensor) -> Tensor:
    """Scores of the K classes in single precision, without a leading background channel."""
    return score_map[:, -tags.size(1) :].float()


def _check_options(
    erase_threshold: float, low_threshold: float, margin: float, embedding: str
) -> None:
    for name, value in (('erase_threshold', erase_threshold), ('low_threshold', low_threshold)):
        if not 0 < value <= 1:
            raise ValueError(f'Expected `{name}` to be above 0 and at most 1, got {value}.')
    if margin <= 0:
        raise ValueError(f'Expected `margin` to be above 0, got {margin}.')
    if embedding not in ('gated_map', 'score_map'):
        raise ValueError(
            f"Expected `embedding` to be 'gated_map' or 'score_map', got {embedding!r}."
        )
