"""Segmentors of every config work unchanged in mmseg's own inferencers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import MMSegInferencer, inference_model, init_model
from PIL import Image

from mmwsss.datasets.palette import class_colors
from mmwsss.registry import MODELS, TRANSFORMS

CONFIGS = Path(__file__).parents[2] / 'configs'
QUICK = 'demo/bana-nal_resnet18_shapes-96x96.py'


SEGMENTORS = [
    str(path.relative_to(CONFIGS))
    for path in sorted(CONFIGS.glob('*/*.py'))
    if 'decode_head' in (Config.fromfile(path).get('model') or {})
]
MOST_ARE_SLOW = [
    pytest.param(name, marks=[] if name == QUICK else pytest.mark.slow) for name in SEGMENTORS
]


@pytest.fixture
def photos(tmp_path):
    """Two images of different sizes; the second is stored rotated."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.png')
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise[:40]).save(tmp_path / 'b.jpg', quality=95, exif=exif)
    return [str(tmp_path / 'a.png'), str(tmp_path / 'b.jpg')]


def random_checkpoint(config, path):
    torch.manual_seed(0)
    classes = [f'class {i}' for i in range(config.model.decode_head.num_classes)]
    meta = {'dataset_meta': {'classes': classes, 'palette': class_colors(len(classes))}}
    torch.save({'state_dict': MODELS.build(config.model).state_dict(), 'meta': meta}, path)
    return str(path), meta['dataset_meta']


def test_there_are_segmentors_of_all_kinds():
    assert len(SEGMENTORS) >= 15 and QUICK in SEGMENTORS


@pytest.mark.parametrize('name', SEGMENTORS)
def test_the_test_pipeline_is_that_of_the_test_without_annotations(name):
    config = Config.fromfile(CONFIGS / name)
    types = [transform.type for transform in config.test_pipeline]
    of_test = [transform.type for transform in config.test_dataloader.dataset.pipeline]
    assert types[0] == 'LoadImageFromFile'
    assert types == [kind for kind in of_test if kind != 'LoadAnnotations']


@pytest.mark.parametrize('name', MOST_ARE_SLOW)
def test_mmseg_predicts_with_the_config_as_it_is(name, photos, tmp_path):
    file = str(CONFIGS / name)
    weights, meta = random_checkpoint(Config.fromfile(file), tmp_path / 'weights.pth')

    inferencer = MMSegInferencer(file, weights, scope='mmwsss', device='cpu')
    assert inferencer.model.dataset_meta == meta
    array = np.ascontiguousarray(np.asarray(Image.open(photos[0]))[..., ::-1])
    results = inferencer([photos[0], photos[1], array], batch_size=1, out_dir=str(tmp_path))
    first, second, third = results['predictions']
    assert first.shape == (48, 64) and second.shape == (64, 40)
    assert np.array_equal(first, third)
    batch = inferencer([*photos, array], batch_size=3)['predictions']
    assert [label.shape for label in batch] == [(48, 64), (64, 40), (48, 64)]

    model = init_model(file, weights, device='cpu')
    assert model.dataset_meta == meta
    alone = inference_model(model, photos[0])
    assert np.array_equal(alone.pred_sem_seg.data[0].numpy(), first)
    both = inference_model(model, photos)
    assert [tuple(sample.pred_sem_seg.shape) for sample in both] == [(48, 64), (64, 40)]
    assert inference_model(model, array).pred_sem_seg.shape == (48, 64)


def test_the_loader_of_our_scope_reads_for_mmseg(photos):
    config = Config.fromfile(CONFIGS / QUICK)
    loader = TRANSFORMS.build(config.test_pipeline[0])
    assert type(loader).__module__.startswith('mmwsss.')
    assert loader({'img_path': photos[1]})['ori_shape'] == (64, 40)
