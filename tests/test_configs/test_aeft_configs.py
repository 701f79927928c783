"""Configs of AEFT contain the published settings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from PIL import Image
from torch import nn

from mmwsss.engine.pipeline.stages import load_stages
from mmwsss.registry import MODELS, TRANSFORMS

CONFIGS = Path(__file__).parents[2] / 'configs'
WARMUP = 'aeft/aeft-warmup_resnet38_voc12-320x320'
TRIPLET = 'aeft/aeft_resnet38_voc12-320x320'
MINI = 'mobilenet-v2_voc12-mini-320x320'
ABLATION = [f'cam/cam_{MINI}'] + [f'aeft/{n}_{MINI}' for n in ('aeft-gpp', 'aeft-attract', 'aeft')]


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def build(config):
    """The model without memory for its weights, which no test here reads."""
    with torch.device('meta'):
        return MODELS.build(config)


@pytest.mark.parametrize('name', ['aeft_voc', 'aeft_mobilenet-v2_voc'])
def test_what_a_pipeline_takes_is_given_by_an_earlier_stage(name):
    assert len(load_stages(load(name))) >= 6


def test_the_classifier_has_the_published_layers():
    model = build(load(TRIPLET).model)
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    new = {name for name in trained if not name.startswith('backbone')}
    gates = {f'head.pooling.{s}_gates.{i}.weight' for s in ('positive', 'negative') for i in '012'}
    assert new == gates | {'neck.conv.conv.weight', 'head.classifier.weight'}
    assert len(trained) == 43
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert all(module.bias is None for module in convolutions)
    total = sum(value.numel() for value in model.parameters())
    assert total == pytest.approx(106.13e6, abs=5e3)
    assert [block.dropout.p for block in (model.backbone.b6, model.backbone.b7)] == [0.2, 0.2]


def test_the_warm_up_learns_from_tags_alone():
    warmup, triplet = load(WARMUP), load(TRIPLET)
    assert [cfg.type for cfg in warmup.model.objectives] == ['MultiLabelSoftMargin']
    assert [cfg.type for cfg in triplet.model.objectives][1:] == ['ErasingTriplet']


def test_checkpoints_are_compared_by_the_seeds_of_the_pipeline():
    ours, theirs = load('aeft/aeft-compare_resnet38_voc12'), load(TRIPLET)
    assert ours.test_cfg.generator.labels.to_dict() == {
        'seed': theirs.test_cfg.generator.labels.seed.to_dict()
    }
    assert ours.model == theirs.model
    used = {Path(stage.config.filename).stem for stage in load_stages(load('aeft_voc'))}
    assert 'aeft-compare_resnet38_voc12' not in used


def test_the_segmentor_freezes_normalisations_alone():
    model = build(load('segmentors/deeplabv1-largefov_resnet38_voc12-321x321').model).train()
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    norms = {n for n, part in model.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert frozen == {f'{norm}.{kind}' for norm in norms for kind in ('weight', 'bias')}


def test_the_ablation_differs_in_pooling_and_objectives_alone():
    configs = [load(name)._cfg_dict.to_dict() for name in ABLATION]
    objectives, poolings, begins = [], [], []
    for config in configs:
        poolings.append(config['model']['head'].pop('pooling')['type'])
        objectives.append([cfg.pop('type') for cfg in config['model'].pop('objectives')])
        begins.append([hook['begin'] for hook in config.pop('custom_hooks') if 'begin' in hook])
    assert poolings == ['GlobalAveragePooling'] + ['GatedPyramidPooling'] * 3
    assert [len(names) for names in objectives] == [1, 1, 2, 2]
    assert begins == [[], [], [200], [200]]
    assert all(config == configs[0] for config in configs[1:])


@pytest.mark.parametrize('size', [(48, 64), (700, 500)])
def test_a_crop_keeps_tags_and_fills_with_the_mean_colour(tmp_path, size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.png')
    pipeline = Compose([TRANSFORMS.build(step) for step in load(TRIPLET).train_pipeline])
    info = dict(img_path=str(tmp_path / 'a.png'), img_id='a', gt_label=[7, 2], num_classes=20)
    results = []
    for seed in range(8):
        np.random.seed(seed)
        results.append(pipeline(dict(info, seg_fields=[])))
        assert results[-1]['inputs'].shape == (3, 320, 320)
        assert results[-1]['data_samples'].gt_label.tolist() == [2, 7]
    mean = torch.tensor([103.53, 116.28, 123.675])[:, None, None]
    filled = [(r['inputs'] == mean).all(dim=0).float().mean() for r in results]
    assert max(filled) > 0.2  # a side of 256 pixels


def test_four_images_of_five_are_jittered():
    (jitter,) = (step for step in load(TRIPLET).train_pipeline if step.type == 'RandomApply')
    transform = TRANSFORMS.build(jitter)
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.random.seed(0)
    changed = [(transform(dict(img=image.copy()))['img'] != image).any() for _ in range(500)]
    assert np.mean(changed) == pytest.approx(0.8, abs=0.05)


def test_published_choices_are_options():
    config = load(TRIPLET)
    config.merge_from_dict({'model.objectives.0.supervised': 8, 'model.objectives.1.min_hard': 5})
    tags, triplet = build(config.model).objectives
    assert (tags.supervised, triplet.min_hard) == (8, 5)


@pytest.mark.parametrize(
    ('earlier', 'later'), [(WARMUP, TRIPLET), (f'aeft/aeft_{MINI}', f'aeft/aeft-confident_{MINI}')]
)
def test_a_stage_takes_all_weights_of_the_one_before(earlier, later):
    shapes = [
        {name: value.shape for name, value in build(load(stage).model).state_dict().items()}
        for stage in (earlier, later)
    ]
    assert shapes[0] == shapes[1]
