"""How every published training runs: parameters, rates, iterations, batches, sizes.

The numbers are those of papers and published code. They are repeated here, so that a change of a
base config cannot alter a recipe unnoticed. A rate is compared together with its momentum m, as the
length of a step, rate / (1 - m): AffinityNet and AEFT were published with m = 0.0005 and use 0.9
here.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmwsss.registry import MODELS, PARAM_SCHEDULERS

CONFIGS = Path(__file__).parents[2] / 'configs'
DECAY = 5e-4


@dataclass(frozen=True)
class Published:
    """A training as published.

    Attributes:
        batch: Images per step.
        iterations: Number of steps.
        rates: Rate of the first group at some iterations.
        groups: Number of trained tensors by (rate over that of the first group, weight decay).
        scale: Range of the long side in pixels, ``'x'`` and range of the factor, or its values.
        crop: Side of the crop, or of the whole image if it is warped.
        momentum: Momentum that goes with the rates.
    """

    batch: int
    iterations: int
    rates: dict
    groups: dict
    scale: tuple
    crop: int
    momentum: float = 0.9


def poly(rate, last, *, begin=0, steps=None):
    """First, middle and last rate of a decay with power 0.9 that ends at `last`."""
    steps = steps or last
    return {k: rate * (1 - (begin + k) / last) ** 0.9 for k in (0, steps // 2, steps - 1)}


# AffinityNet: the weight decay is passed as the momentum; 10 582 images. Weights and biases of the
# backbone, then the new ones; the first blocks and all normalisations are frozen.
PSA = dict(crop=448, momentum=5e-4)
PSA_CLASSIFIER = dict(batch=16, iterations=15 * (10582 // 16), scale=(256, 512), **PSA)
PSA_AFFINITY = dict(batch=8, iterations=8 * (10582 // 8), scale=(), **PSA)
# AEFT counts 40 epochs with batches of 8, but the last 22 use batches of 32.
AEFT = dict(scale=(256, 512), crop=320, momentum=5e-4, groups={(1, DECAY): 43})
AEFT_LAST = 40 * (10582 // 8)
AEFT_WARMUP, AEFT_TRIPLET = 18 * (10582 // 8), 22 * (10582 // 32)
# RCA: an epoch ends with a batch of six; the rate drops to a tenth after five and ten epochs.
RCA = dict(batch=8, iterations=30 * 1323, scale=(), crop=368)
RCA_RATES = {0: 1e-3, 6614: 1e-3, 6615: 1e-4, 13229: 1e-4, 13230: 1e-5, 39689: 1e-5}
BANA = dict(batch=20, scale=('x', 0.5, 1.5), crop=321)
BANA_GROUPS = {(1, DECAY): 15, (2, 0): 15, (10, DECAY): 1}
RESNET101 = dict(batch=10, iterations=20000, rates=poly(2.5e-4, 20000), crop=321)
BANA_DEEPLABV2 = Published(
    groups={(1, DECAY): 104, (10, DECAY): 5}, scale=('x', 0.5, 1.5), **RESNET101
)
DEEPLABV2 = Published(
    groups={(1, DECAY): 104, (10, DECAY): 4, (20, 0): 4},
    scale=('x', 0.5, 0.75, 1, 1.25, 1.5),
    **RESNET101,
)
# IRN: the weight decay is passed as the momentum. The classifier is frozen up to its second stage,
# but normalisations after it learn. Only the head of the boundary network learns.
IRN = dict(crop=512, momentum=1e-4)

TRAININGS = {
    'irn/irn-cam_resnet50_voc12-512x512': Published(
        batch=16,
        iterations=5 * (10582 // 16),
        rates=poly(0.1, 3305),
        groups={(1, 1e-4): 3 * (19 + 10), (10, 1e-4): 1},
        scale=(320, 640),
        **IRN,
    ),
    'irn/irn-boundary_resnet50_voc12-512x512': Published(
        batch=32,
        iterations=3 * (10582 // 32),
        rates=poly(0.1, 990),
        groups={(1, 1e-4): 3 * 5 + 2},
        scale=('x', 0.5, 1.5),
        **IRN,
    ),
    'affinitynet/psa-cam_resnet38_voc12-448x448': Published(
        rates=poly(0.01, 9915), groups={(1, DECAY): 35, (10, DECAY): 1}, **PSA_CLASSIFIER
    ),
    'affinitynet/psa-cam_vgg16_voc12-448x448': Published(
        rates=poly(0.1, 9915),
        groups={(1, DECAY): 11, (2, 0): 11, (10, DECAY): 1},
        **PSA_CLASSIFIER,
    ),
    'affinitynet/psa-affinity_resnet38_voc12-448x448': Published(
        rates=poly(0.01, 10576), groups={(1, DECAY): 35, (10, DECAY): 4}, **PSA_AFFINITY
    ),
    'affinitynet/psa-affinity_vgg16_voc12-448x448': Published(  # with 3 group normalisations
        rates=poly(0.1, 10576),
        groups={(1, DECAY): 11 + 3, (2, 0): 11 + 3, (10, DECAY): 4},
        **PSA_AFFINITY,
    ),
    'aeft/aeft-warmup_resnet38_voc12-320x320': Published(
        batch=8, iterations=AEFT_WARMUP, rates=poly(0.01, AEFT_LAST, steps=AEFT_WARMUP), **AEFT
    ),
    'aeft/aeft_resnet38_voc12-320x320': Published(
        batch=32,
        iterations=AEFT_TRIPLET,
        rates=poly(0.01, AEFT_LAST, begin=AEFT_WARMUP, steps=AEFT_TRIPLET),
        **AEFT,
    ),
    'rca/rca_vgg16_voc12-368x368': Published(  # the paper's context and head have no bias
        rates=RCA_RATES, groups={(1, DECAY): 13, (2, DECAY): 13, (10, DECAY): 2}, **RCA
    ),
    # Published: 18, 18, 87, 87. The 20 branches of four convolutions are stacked to four.
    'rca/rca-branches_vgg16_voc12-368x368': Published(
        rates=RCA_RATES,
        groups={(1, DECAY): 18, (2, DECAY): 18, (10, DECAY): 11, (20, DECAY): 11},
        **RCA,
    ),
    # Published: 22 new tensors with decay, of which 20 are stacked here; 20 temperatures.
    'spatial_bce/sbce_resnet38_voc12-369x369': Published(
        batch=12,
        iterations=20 * (10582 // 12),
        rates=poly(1e-3, 17620),
        groups={(1, DECAY): 35, (10, DECAY): 3, (10, 0): 1},
        scale=(),
        crop=369,
    ),
    'bana/bana_vgg16_voc12-321x321': Published(
        iterations=8000,
        rates={0: 1e-3, 4999: 1e-3, 5000: 1e-4, 7999: 1e-4},
        groups=BANA_GROUPS,
        **BANA,
    ),
    'bana/bana-nal_deeplabv1-largefov_vgg16_voc12-321x321': Published(
        iterations=45 * 529,
        # The later ones are in the authors' log.
        rates={0: 1e-3, 238: 0.0009909973756726312, 23800: 4.898596148203672e-07},
        groups=BANA_GROUPS,
        **BANA,
    ),
    'segmentors/deeplabv1-largefov_vgg16_voc12-321x321': Published(
        iterations=45 * 529,
        rates=poly(1e-3, 23805),
        groups=BANA_GROUPS | {(20, 0): 1},
        **BANA,
    ),
    'bana/bana-nal_deeplabv2_r101-d8_voc12-321x321': BANA_DEEPLABV2,
    'bana/bana-nal_deeplabv2-coco_r101-d8_voc12-321x321': BANA_DEEPLABV2,
    'segmentors/deeplabv2_r101-d8_voc12-321x321': DEEPLABV2,
    'segmentors/deeplabv2-coco_r101-d8_voc12-321x321': DEEPLABV2,
    # Rates, iterations and batch were not published: ours are those of BANA's second network.
    'segmentors/deeplabv1-largefov_resnet38_voc12-321x321': Published(
        batch=10,
        iterations=20000,
        rates=poly(2.5e-4, 20000),
        groups={(1, DECAY): 43, (10, DECAY): 4},
        scale=('x', 0.5, 2.0),
        crop=321,
    ),
}
EVERY = pytest.mark.parametrize(
    ('name', 'published'), TRAININGS.items(), ids=[Path(name).stem for name in TRAININGS]
)


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


@EVERY
def test_every_trained_tensor_has_its_rate_and_decay(name, published):
    config = load(name)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    optimizer = build_optim_wrapper(model, config.optim_wrapper).optimizer
    assert optimizer.defaults['nesterov'] == name.startswith('rca/')
    found = Counter()
    for group in optimizer.param_groups:
        trained = sum(parameter.requires_grad for parameter in group['params'])
        factor = group['lr'] / optimizer.defaults['lr']
        found[round(factor, 6), group['weight_decay']] += trained
    assert +found == published.groups


@EVERY
def test_steps_are_as_long_as_published(name, published):
    config = load(name)
    optimizer = build_optim_wrapper(nn.Linear(1, 1, bias=False), config.optim_wrapper)
    (options,) = config.param_scheduler
    schedule = PARAM_SCHEDULERS.build({**options, 'optimizer': optimizer})
    (group,) = optimizer.optimizer.param_groups
    lengths = {}
    for iteration in range(max(published.rates) + 1):
        if iteration in published.rates:
            lengths[iteration] = group['lr'] / (1 - group['momentum'])
        schedule.step()
    expected = {k: rate / (1 - published.momentum) for k, rate in published.rates.items()}
    assert lengths == pytest.approx(expected, rel=1e-3)


@EVERY
def test_as_many_images_are_seen_at_the_published_sizes(name, published):
    config = load(name)
    assert config.train_cfg.max_iters == published.iterations
    assert config.train_dataloader.batch_size == published.batch
    assert sizes(config.train_dataloader.dataset.pipeline) == (published.scale, published.crop)


# What is subtracted from and divides values of 0 to 255, in the order of the channels.
CAFFE_INPUT = (False, (104.008, 116.669, 122.675), (1, 1, 1))
TORCHVISION_INPUT = (
    True,
    255 * np.array([0.485, 0.456, 0.406]),
    255 * np.array([0.229, 0.224, 0.225]),
)
INPUTS = {
    'ResNet38': TORCHVISION_INPUT,
    'vgg16_torchvision.pth': TORCHVISION_INPUT,
    'VGG16DeepLab': CAFFE_INPUT,
    'resnet50.pth': TORCHVISION_INPUT,
    'open-mmlab://detectron2/resnet101_caffe': (False, (103.53, 116.28, 123.675), (1, 1, 1)),
    'deeplabv2_resnet101_coco.pth': CAFFE_INPUT,
}


@EVERY
def test_values_of_pixels_are_those_that_the_first_weights_expect(name, published):
    model = load(name).model
    backbone = model.backbone.get('backbone', model.backbone)  # of a TappedBackbone
    checkpoint = backbone.init_cfg.checkpoint
    known = (Path(checkpoint).name, checkpoint, backbone.type)
    is_rgb, mean, std = next(INPUTS[key] for key in known if key in INPUTS)
    given = model.data_preprocessor
    assert given.get('bgr_to_rgb', False) == is_rgb
    assert given.mean == pytest.approx(mean)
    assert given.std == pytest.approx(std)


def sizes(pipeline):
    """Range of the scale, and side of the crop or of the warped image."""
    scale, crop = (), None
    for step in pipeline:
        if step.type == 'RandomLongSide':
            scale = tuple(round(step.size * ratio) for ratio in step.ratio_range)
        elif step.type == 'RandomBoxScale':
            scale = ('x', *(step.get('factors') or step.scale_range))
        elif step.type == 'Resize':
            (crop,) = set(step.scale)
        elif 'crop_size' in step:
            (crop,) = set(step.crop_size) if isinstance(step.crop_size, tuple) else {step.crop_size}
    return scale, crop
