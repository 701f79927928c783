"""Selects the regions of a classifier's classes and the features to embed.

Legend: B images, C channels, K classes, R regions, h x w feature grid.
"""

from typing import Literal

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.regions.embeddings import Regions, mean_threshold_regions, region_embeddings
from mmwsss.structures import CAMOutputs, image_tags, to_seg_label


class RegionSource:
    """Regions of the present classes in a classifier's outputs, and its confidence in them.

    Args:
        num_classes: K.
        channels: Channels C of the embedded features.
        regions: Where the regions come from: the positions at which a class map (of a coarse branch
            or of the head) is above its mean, or the weights of a pooling of boxes.
        feats: Features to embed: those that the classifier sees, or those before the context.

    Raises:
        ValueError: A choice is unknown.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int,
        *,
        regions: Literal['coarse_map', 'score_map', 'region_weights'] = 'score_map',
        feats: Literal['feats', 'local_feats'] = 'feats',
    ) -> None:
        _check_choice('regions', regions, ('coarse_map', 'score_map', 'region_weights'))
        _check_choice('feats', feats, ('feats', 'local_feats'))
        self.num_classes = num_classes
        self.channels = channels
        self.regions = regions
        self.feats = feats

    @property
    def requires(self) -> tuple[str, ...]:
        """Regions and features, if not every head has them."""
        names = (self.regions, self.feats)
        return tuple(name for name in names if name not in ('score_map', 'feats'))

    def features(self, outputs: CAMOutputs) -> Tensor:
        """Features to embed, (B, C, h, w).

        Raises:
            ValueError: They do not have C channels.
        """
        feats = outputs.feats if self.feats == 'feats' else outputs.parts[self.feats]
        if feats.shape[1] != self.channels:
            raise ValueError(
                f'RegionContrast expected {self.feats!r} with {self.channels} channels, got '
                f'{feats.shape[1]}. Set `channels` to that number, or choose other `feats`.'
            )
        return feats

    def weights(self, outputs: CAMOutputs, data_samples: list[SegDataSample]) -> Tensor:
        """Regions as weights that sum to 1, (B, K, h, w), constants for the gradient."""
        if self.regions == 'region_weights':
            return outputs.parts['region_weights']
        is_score_map = self.regions == 'score_map'
        class_map = outputs.score_map if is_score_map else outputs.parts[self.regions]
        # The background channel comes before the classes.
        return mean_threshold_regions(class_map[:, -self.num_classes :], image_tags(data_samples))

    @torch.no_grad()
    def scores(
        self, outputs: CAMOutputs, weights: Tensor, labels: list[Tensor], regions: Regions
    ) -> Tensor:
        """Probability of the class of every region, (R,).

        This is the probability of the class in the image or, if background is a class, in the
        region.
        """
        if outputs.score_map.shape[1] == self.num_classes:
            return outputs.logits.float().sigmoid()[regions.images, regions.classes]
        pooled = region_embeddings(outputs.score_map, weights, labels).embeddings  # (R, 1+K)
        channel = to_seg_label(regions.classes).unsqueeze(1)
        return pooled.softmax(dim=1).gather(1, channel).squeeze(1)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f'Expected `{name}` to be one of {choices}, got {value!r}.')
