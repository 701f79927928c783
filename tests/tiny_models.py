"""A model of a few channels for every method, and samples from which all of them learn."""

import torch
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.registry import MODELS
from mmwsss.structures import to_seg_label

K = 3
SIZE = (48, 64)
_CHANNELS = 32
_WIDTHS = (4, 8, 16, _CHANNELS)
_BACKBONE = dict(type='TinyBackbone')
_TAGS = dict(type='MultiLabelSoftMargin')


@MODELS.register_module()
class TinyBackbone(nn.Module):
    """Four convolutions with batch normalisation; maps of stride 4, 4, 8 and 8."""

    def __init__(self) -> None:
        super().__init__()
        layers = zip((3, *_WIDTHS), _WIDTHS, (4, 1, 2, 1), strict=False)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(given, width, 3, stride, padding=1), nn.BatchNorm2d(width), nn.ReLU()
            )
            for given, width, stride in layers
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of all layers."""
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return tuple(maps)


def _classifier(*objectives: dict, **head: object) -> dict:
    return dict(
        type='CAMClassifier',
        backbone=_BACKBONE,
        head={
            'type': 'CAMHead',
            'in_channels': _CHANNELS,
            'num_classes': K,
            'pooling': dict(type='GlobalAveragePooling'),
            **head,
        },
        objectives=list(objectives),
    )


def _contrast(**options: object) -> dict:
    return dict(
        type='RegionContrast', num_classes=K, channels=_CHANNELS, memory=dict(slots=4), **options
    )


def _context(name: str, **options: object) -> dict:
    return dict(type=name, in_channels=_CHANNELS, num_classes=K, **options)


def _segmentor(head: str, **model: object) -> dict:
    return dict(
        type='EncoderDecoder',
        backbone=_BACKBONE,
        decode_head=dict(
            type=head,
            in_channels=_CHANNELS,
            in_index=3,
            channels=8,
            num_convs=1,
            num_classes=1 + K,
            norm_cfg=dict(type='BN'),
        ),
        test_cfg=dict(mode='whole'),
        **model,
    )


_COARSE = dict(type='MultiLabelSoftMargin', part='coarse_map', loss_weight=0.4)
_OF_COARSE_MAP = dict(regions='coarse_map', feats='local_feats')
_BOXES = dict(type='BackgroundAwarePooling')

# One per paper, with the parts that its configs use.
METHODS = {
    'cam': _classifier(_TAGS),
    'bana': _classifier(dict(type='RegionCrossEntropy'), pooling=_BOXES),
    'bana-contrast': _classifier(
        dict(type='RegionCrossEntropy'), _contrast(regions='region_weights'), pooling=_BOXES
    ),
    'aeft': _classifier(
        _TAGS,
        dict(type='ErasingTriplet'),
        pooling=dict(type='GatedPyramidPooling', num_classes=K),
    ),
    'rca': _classifier(
        _TAGS,
        _COARSE,
        _contrast(**_OF_COARSE_MAP),
        in_channels=2 * _CHANNELS,
        context=_context('SemanticAggregation', centroids=2),
    ),
    'rca-branches': _classifier(
        _TAGS,
        _COARSE,
        _contrast(**_OF_COARSE_MAP, contrast=dict(partner='any', floor=1e-4), projection=True),
        type='ClassBranchesHead',
        context=_context('ProjectedAggregation', centroids=2),
    ),
    'sbce': _classifier(
        dict(type='SpatialBCE'), in_channels=8, context=_context('ThresholdBranch', channels=8)
    ),
    'affinity': dict(
        type='AffinityNetwork',
        backbone=_BACKBONE,
        head=dict(type='AffinityHead', in_channels=_WIDTHS, channels=(4, 4, 4, 4)),
        radius=3,
    ),
    'boundary': dict(
        type='BoundaryNetwork',
        backbone=_BACKBONE,
        head=dict(
            type='BoundaryHead', in_channels=_WIDTHS, scales=(1, 1, 2, 2), channels=8, norm_groups=2
        ),
        radius=4,
    ),
    'segmentor': _segmentor('FCNHead'),
    'noise-aware': _segmentor('NoiseAwareFCNHead'),
}


def build(method: str) -> torch.nn.Module:
    """Build the model of a method, always with the same weights, in training mode."""
    torch.manual_seed(0)
    model = MODELS.build(METHODS[method])
    for part in model.modules():
        if hasattr(part, 'set_centroids'):
            centroids = torch.randn_like(part.centroids)
            part.set_centroids(centroids, torch.ones_like(part.valid))
    return model.train()


def batch() -> tuple[Tensor, list[SegDataSample]]:
    """Images (3, 3, H, W) and samples with every weak label; the third has no class."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, 3, *SIZE, generator=generator)
    boxes = [[(4, 4, 28, 40), (20, 10, 60, 44)], [(8, 12, 50, 36)], []]
    labels = [[0, 2], [1], []]
    return images, [_sample(*objects) for objects in zip(boxes, labels, strict=True)]


def _sample(boxes: list, labels: list[int]) -> SegDataSample:
    sample = SegDataSample(metainfo=dict(img_id=str(labels), ori_shape=SIZE, img_shape=SIZE))
    sample.gt_label = torch.tensor(labels, dtype=torch.long)
    sample.gt_score = torch.zeros(K).index_fill(0, sample.gt_label, 1)
    sample.gt_proportion = 0.3 * sample.gt_score.double()
    bboxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    sample.gt_instances = InstanceData(bboxes=bboxes, labels=sample.gt_label)
    seg_map = torch.zeros(1, *SIZE, dtype=torch.long)
    for (x1, y1, x2, y2), label in zip(boxes, labels, strict=True):
        seg_map[:, y1:y2, x1:x2] = to_seg_label(label)
    sample.background_mask = PixelData(data=(seg_map == 0).to(torch.uint8))
    sample.gt_sem_seg = PixelData(data=seg_map)
    sample.gt_sem_seg_aux = PixelData(data=seg_map.roll(2, dims=2))
    sample.affinity_label = PixelData(data=seg_map[:, ::4, ::4].to(torch.uint8))
    return sample
