"""Objective that contrasts the regions of a batch with a memory of regions of the data set."""

from typing import Literal

import torch
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.models.losses.process_sums import sum_over_processes
from mmwsss.models.losses.region_contrast_loss import (
    choose_partners,
    draw_shares,
    image_shares,
    mixup_contrast,
)
from mmwsss.models.regions.embeddings import Regions, mean_threshold_regions, region_embeddings
from mmwsss.models.regions.memory import RegionMemory
from mmwsss.models.regions.slots import intersected_regions
from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, Encode, Objective, image_tags, to_seg_label


@MODELS.register_module()
class RegionContrast(Objective):
    """Pull regions to the memory of their class, away from those of other classes.

    A region of each present class is embedded, mixed with a region of another image, and compared
    with the memory as it was before this step; then the confident regions are written to it. That
    goes on while ``enabled`` is False (``StartObjectiveHook``), so that the loss begins with a
    memory that is filled. Partners come from the batch of the process; memory and mean are those of
    all processes.

    Args:
        num_classes: K, at least 2.
        channels: Channels C of the features that are embedded.
        regions: What tells the regions: the positions where a class map, that of a coarse branch or
            of the head, is above its mean, or the weights of a pooling of boxes.
        feats: Features to embed: those the classifier sees, or those before the context.
        memory: Options of :class:`RegionMemory`.
        temperature: T of the contrast.
        beta: Parameter of the Beta distribution of the mixture.
        partner: Rule of :func:`choose_partners`.
        score_threshold: Class probability above which a region is written to the memory: that of
            the image, or with background as a class, of the region.
        projection: Compare through two 3x3 convolutions, with batch normalisation and ReLU between
            them; the memory keeps what is before. As published. A distributed run needs
            ``find_unused_parameters=True`` if the objective starts late.
        loss_weight: Factor of the loss. Published: 0.01 times a sum over the 8 images of a batch,
            0.08 here.
        floor: As in :func:`mixup_contrast`; published 1e-4.
        init_cfg: Weight initialisation of the projection; N(0, 0.01) by default.

    Attributes:
        memory: The :class:`RegionMemory`.
        enabled: Whether there is a loss.

    Shape:
        ``outputs.score_map`` (B, K or 1+K, h, w); ``outputs.logits`` (B, K), unless there is a
        background channel; features (B, C, h, w); ``loss_region_contrast`` is ().

    Raises:
        ValueError: An option is out of range, or the features have not C channels.

    Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
        Segmentation", CVPR 2022, section 3.2. Differs from the published code: the loss is the mean
        over images of their mean over regions; images and regions without anything to compare are
        left out, where that code gave NaN; see also the functions and the memory.
    """

    stateful = True

    def __init__(
        self,
        num_classes: int,
        channels: int,
        *,
        regions: Literal['coarse_map', 'score_map', 'region_weights'] = 'score_map',
        feats: Literal['feats', 'local_feats'] = 'feats',
        memory: dict | None = None,
        temperature: float = 0.07,
        beta: float = 8.0,
        partner: Literal['other', 'any'] = 'other',
        score_threshold: float = 0.7,
        projection: bool = False,
        loss_weight: float = 1.0,
        floor: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.01))
        _check_choice('regions', regions, ('coarse_map', 'score_map', 'region_weights'))
        _check_choice('feats', feats, ('feats', 'local_feats'))
        _check_choice('partner', partner, ('other', 'any'))
        _check_numbers(num_classes, temperature, beta, score_threshold, floor)
        self.num_classes = num_classes
        self.channels = channels
        self.regions = regions
        self.feats = feats
        self.memory = RegionMemory(num_classes, channels, **(memory or {}))
        self.temperature = temperature
        self.beta = beta
        self.partner = partner
        self.score_threshold = score_threshold
        self.projection = _projection(channels) if projection else None
        self.loss_weight = loss_weight
        self.floor = floor

    @property
    def requires(self) -> tuple[str, ...]:
        """Regions and features, unless every head has them."""
        names = (self.regions, self.feats)
        return tuple(name for name in names if name not in ('score_map', 'feats'))

    def forward(
        self,
        outputs: CAMOutputs,
        data_samples: list[SegDataSample],
        encode: Encode,
    ) -> dict[str, Tensor]:
        """Compare the regions with the memory, then write them to it when training."""
        feats = self._features(outputs)
        labels = [sample.gt_label for sample in data_samples]
        weights = self._region_weights(outputs, data_samples)
        regions = region_embeddings(feats, weights, labels)
        losses = {}
        if self.enabled:
            queries = regions
            if self.projection is not None:
                queries = region_embeddings(self.projection(feats), weights, labels)
            losses['loss_region_contrast'] = self.loss_weight * self._contrast(queries)
        if self.training:
            scores = self._scores(outputs, weights, labels, regions)
            gate = regions.valid & (scores > self.score_threshold)
            self.memory.write(
                self._to_store(feats, weights, labels, regions, gate),
                regions.classes,
                gate,
                [sample.get('img_id', '') for sample in data_samples for _ in sample.gt_label],
                batch_size=len(data_samples),
            )
        return losses

    def draw_partners(self, regions: Regions) -> tuple[Tensor, Tensor]:
        """Choose a partner for every region, int64 (R,), and the region's own share, (R,)."""
        partners, found = choose_partners(
            regions.images, regions.classes, regions.valid, rule=self.partner
        )
        return partners, draw_shares(found, beta=self.beta)

    def _contrast(self, regions: Regions) -> Tensor:
        """Mean over the images of all processes of the mean over their regions, ()."""
        partners, lam = self.draw_partners(regions)
        loss, counted = mixup_contrast(
            regions.embeddings,
            regions.classes,
            regions.valid,
            partners,
            lam,
            self.memory.slots,
            self.memory.filled,
            temperature=self.temperature,
            floor=self.floor,
        )
        share = counted * image_shares(regions.images, counted)
        # Loss and number of images.
        total, count = sum_over_processes(torch.stack([(share * loss).sum(), share.sum()])).unbind()
        return total / count.clamp_min(1)

    def _features(self, outputs: CAMOutputs) -> Tensor:
        feats = outputs.feats if self.feats == 'feats' else outputs.parts[self.feats]
        if feats.shape[1] != self.channels:
            raise ValueError(
                f'RegionContrast expected {self.feats!r} of {self.channels} channels, got '
                f'{feats.shape[1]}. Set `channels` to that number, or choose other `feats`.'
            )
        return feats

    def _region_weights(self, outputs: CAMOutputs, data_samples: list[SegDataSample]) -> Tensor:
        if self.regions == 'region_weights':
            return outputs.parts['region_weights']
        is_score_map = self.regions == 'score_map'
        class_map = outputs.score_map if is_score_map else outputs.parts[self.regions]
        # A channel of background comes before the classes.
        return mean_threshold_regions(class_map[:, -self.num_classes :], image_tags(data_samples))

    @torch.no_grad()
    def _to_store(
        self, feats: Tensor, weights: Tensor, labels: list[Tensor], regions: Regions, gate: Tensor
    ) -> Tensor:
        """Embeddings for the memory, (R, C): those of the regions, or as in the published code."""
        if not self.memory.official:
            return regions.embeddings
        written = torch.zeros(weights.shape[:2], dtype=torch.bool, device=weights.device)
        written[regions.images, regions.classes] = gate
        return region_embeddings(feats, intersected_regions(weights, written), labels).embeddings

    @torch.no_grad()
    def _scores(
        self, outputs: CAMOutputs, weights: Tensor, labels: list[Tensor], regions: Regions
    ) -> Tensor:
        """Probability of the class of every region, (R,)."""
        if outputs.score_map.shape[1] == self.num_classes:
            return outputs.logits.float().sigmoid()[regions.images, regions.classes]
        pooled = region_embeddings(outputs.score_map, weights, labels).embeddings  # (R, 1+K)
        channel = to_seg_label(regions.classes).unsqueeze(1)
        return pooled.softmax(dim=1).gather(1, channel).squeeze(1)


def _projection(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
    )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f'Expected `{name}` to be one of {choices}, got {value!r}.')


def _check_numbers(
    num_classes: int, temperature: float, beta: float, score_threshold: float, floor: float | None
) -> None:
    if num_classes < 2:
        raise ValueError(
            f'RegionContrast compares a class with others: expected at least 2 classes, got '
            f'{num_classes}. Leave the objective out.'
        )
    above_zero = dict(temperature=temperature, beta=beta, floor=1 if floor is None else floor)
    for name, value in above_zero.items():
        if value <= 0:
            raise ValueError(f'Expected `{name}` above 0, got {value}.')
    if not 0 <= score_threshold < 1:
        raise ValueError(
            f'Expected `score_threshold` from 0 to below 1, got {score_threshold}. It is the '
            'probability above which a region is written to the memory.'
        )
