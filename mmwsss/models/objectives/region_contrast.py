"""Objective that contrasts the regions of a batch with a memory of the data set's regions."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.models.objectives.mixup_contrast import MixupContrast
from mmwsss.models.regions.embeddings import Regions, region_embeddings
from mmwsss.models.regions.memory import RegionMemory
from mmwsss.models.regions.slots import intersected_regions
from mmwsss.models.regions.source import RegionSource
from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs, Encode, Objective, UserInputError


@MODELS.register_module()
class RegionContrast(Objective):
    """Pull regions towards the memory of their class and away from those of other classes.

    A region of each present class is embedded, mixed with a region of another image, and compared
    with the memory as it was before this step. Confident regions are then written to the memory,
    even while ``enabled`` is False (``StartObjectiveHook``), so that the loss starts with a filled
    memory. Partners come from the batch of the process; the memory and the mean cover all
    processes.

    Args:
        num_classes: K, at least 2.
        channels: Channels C of the embedded features.
        regions: Where the regions come from, see :class:`RegionSource`.
        feats: Features to embed, see there.
        contrast: Options of :class:`MixupContrast`: partners, mixture and temperature.
        memory: Options of :class:`RegionMemory`: its number of slots, and what is stored in it.
        projection: Compare through two 3x3 convolutions, with batch normalisation and ReLU between
            them, as published. The memory keeps the embeddings before them. A distributed run needs
            ``find_unused_parameters=True`` if the objective starts late.
        loss_weight: Factor of the loss. Published: 0.01 times a sum over the 8 images of a batch,
            which is 0.08 here.
        init_cfg: Weight initialisation of the projection; N(0, 0.01) by default.

    Attributes:
        memory: The :class:`RegionMemory`.
        enabled: Whether there is a loss.

    Shape:
        ``outputs.score_map`` (B, K or 1+K, h, w); ``outputs.logits`` (B, K), unless there is a
        background channel; features (B, C, h, w); ``loss_region_contrast`` is ().

    Raises:
        ValueError: An option is out of range, or the features do not have C channels.
        UserInputError: ``contrast`` or ``memory`` is a component of another kind, or ``memory``
            sets K or C, which it takes from the objective.

    Source: Zhou et al., "Regional Semantic Contrast and Aggregation for Weakly Supervised Semantic
        Segmentation", CVPR 2022, section 3.2. :class:`MixupContrast` and :class:`RegionMemory` list
        where it differs from the published code.
    """

    stateful = True
    part_types: ClassVar[Mapping[str, type]] = dict(contrast=MixupContrast, memory=RegionMemory)

    def __init__(
        self,
        num_classes: int,
        channels: int,
        *,
        regions: Literal['coarse_map', 'score_map', 'region_weights'] = 'score_map',
        feats: Literal['feats', 'local_feats'] = 'feats',
        contrast: dict | None = None,
        memory: dict | None = None,
        projection: bool = False,
        loss_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Normal', layer='Conv2d', std=0.01))
        if num_classes < 2:
            raise ValueError(
                'RegionContrast compares classes and needs at least 2, got '
                f'{num_classes}. Leave the objective out.'
            )
        self.num_classes = num_classes
        self.source = RegionSource(num_classes, channels, regions=regions, feats=feats)
        self.contrast: MixupContrast = self._build_part('contrast', contrast or {})
        self.memory: RegionMemory = self._build_part(
            'memory', memory or {}, num_classes=num_classes, channels=channels
        )
        self.projection = _projection(channels) if projection else None
        self.loss_weight = loss_weight

    def _build_part(self, key: str, options: dict, **sizes: int) -> Any:
        """Build the contrast or the memory with the sizes of the objective."""
        kind = self.part_types[key]
        for name in sizes.keys() & options.keys():
            raise UserInputError(
                f'RegionContrast: {key} sets {name}={options[name]}, but takes it from the '
                f'objective, where {name}={sizes[name]}. Leave {name} out of {key}.'
            )
        named = options.get('type', kind)
        found = MODELS.get(named) if isinstance(named, str) else named
        if not (isinstance(found, type) and issubclass(found, kind)):
            raise UserInputError(
                f'RegionContrast: {key} must be a {kind.__name__}, got type={named!r}. Leave out '
                f'the `type`, or name a subclass of {kind.__name__}.'
            )
        return MODELS.build({**options, **sizes, 'type': found})

    @property
    def requires(self) -> tuple[str, ...]:
        """Regions and features, if not every head has them."""
        return self.source.requires

    def forward(
        self,
        outputs: CAMOutputs,
        data_samples: list[SegDataSample],
        encode: Encode,
    ) -> dict[str, Tensor]:
        """Compare the regions with the memory, then write them to it when training."""
        feats = self.source.features(outputs)
        labels = [sample.gt_label for sample in data_samples]
        weights = self.source.weights(outputs, data_samples)
        regions = region_embeddings(feats, weights, labels)
        losses = {}
        if self.enabled:
            queries = regions
            if self.projection is not None:
                queries = region_embeddings(self.projection(feats), weights, labels)
            loss = self.contrast(queries, self.memory.slots, self.memory.filled)
            losses['loss_region_contrast'] = self.loss_weight * loss
        if self.training:
            scores = self.source.scores(outputs, weights, labels, regions)
            gate = regions.valid & self.memory.admits(scores)
            self.memory.write(
                self._to_store(feats, weights, labels, regions, gate),
                regions.classes,
                gate,
                [sample.get('img_id', '') for sample in data_samples for _ in sample.gt_label],
                batch_size=len(data_samples),
            )
        return losses

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


def _projection(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
    )
