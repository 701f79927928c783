"""The base configs of the data sets can be built and provide what the stages expect."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError

ROOT = Path(__file__).parents[2] / 'configs'
CONFIGS = ROOT / '_base_/datasets'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with a small VOC of noise images and everything a config may name."""
    root = tmp_path / 'VOCdevkit/VOC2012'
    for folder in ('JPEGImages', 'Annotations', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(2):
        image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(image).save(root / f'JPEGImages/{i}.jpg')
        label = rng.integers(0, 21, (60, 80), dtype=np.uint8)
        Image.fromarray(label).save(root / f'SegmentationClass/{i}.png')
        (root / f'Annotations/{i}.xml').write_text(
            '<annotation><object><name>dog</name><bndbox><xmin>10</xmin><ymin>20</ymin>'
            '<xmax>50</xmax><ymax>60</ymax></bndbox></object></annotation>'
        )
    for name in ('train_aug', 'val'):
        (root / f'ImageSets/Segmentation/{name}.txt').write_text('0\n1\n')
    monkeypatch.setenv('MMWSSS_DATA', str(tmp_path))
    return root


def load(name, **changes):
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for loader in LOADERS:
        if config.get(loader):
            config[loader].update(num_workers=0, persistent_workers=False)
    config.merge_from_dict(changes)
    return config


def first(config, loader, **seed):
    np.random.seed(0)
    batch = next(iter(Runner.build_dataloader(config[loader], seed=0)))
    return batch['inputs'][0], batch['data_samples'][0]


def test_boxes_of_the_published_settings(data):
    config = load('voc12_boxes_321', **{'train_dataloader.batch_size': 2})
    inputs, sample = first(config, 'train_dataloader')
    assert (inputs.shape, inputs.dtype) == ((3, 321, 321), torch.uint8)
    assert sample.background_mask.shape == (321, 321)
    assert sample.gt_label.tolist() == [11]
    assert 'gt_sem_seg' not in sample
    inputs, sample = first(config, 'test_dataloader')
    assert inputs.shape == (3, 60, 80)
    assert sample.gt_instances.bboxes.tolist() == [[10, 20, 50, 60]]
    assert (sample.background_mask.data == 0).sum() == 40 * 40


def test_tags(data):
    config = load('voc12_tags_448', **{'train_dataloader.batch_size': 2})
    inputs, sample = first(config, 'train_dataloader')
    assert inputs.shape == (3, 448, 448)
    assert sample.gt_score.nonzero().tolist() == [[11]]
    assert not {'gt_instances', 'background_mask', 'gt_sem_seg'} & set(sample.keys())


def test_segmentation_on_two_pseudo_labels(data):
    prefix = 'train_dataloader.dataset.data_prefix'
    masks = str(data / 'SegmentationClass')
    changes = {f'{prefix}.seg_map_path': masks, f'{prefix}.aux_seg_map_path': masks}
    config = load('voc12_pseudo_321', **changes, **{'train_dataloader.batch_size': 2})
    inputs, sample = first(config, 'train_dataloader')
    assert inputs.shape == (3, 321, 321)
    assert (sample.gt_sem_seg.data == sample.gt_sem_seg_aux.data).all()
    assert (sample.gt_sem_seg.data[:, 0] == 255).all()  # a row of padding
    inputs, sample = first(config, 'val_dataloader')
    assert inputs.shape == (3, 60, 80)
    truth = np.asarray(Image.open(data / 'SegmentationClass/0.png'))
    assert (sample.gt_sem_seg.data.numpy() == truth).all()


@pytest.mark.parametrize('name', ['voc12_pseudo_321', 'voc12_pseudo_mini_320'])
def test_images_that_got_no_pseudo_label_are_left_out(data, name):
    (data / 'ImageSets/Segmentation/train.txt').write_text('0\n1\n')
    (data / 'SegmentationClass/1.png').unlink()
    prefix = 'train_dataloader.dataset.data_prefix'
    config = load(name, **{f'{prefix}.seg_map_path': str(data / 'SegmentationClass')})
    assert len(DATASETS.build(config.train_dataloader.dataset)) == 1


def test_shapes(tmp_path, monkeypatch):
    monkeypatch.setenv('MMWSSS_DATA', str(tmp_path))
    with pytest.raises(UserInputError, match='MMWSSS_DATA'):
        DATASETS.build(load('shapes').train_dataloader.dataset)
    pseudo = Config.fromfile(ROOT / 'demo/bana-nal_resnet18_shapes-96x96.py')
    assert pseudo.val_dataloader.dataset.data_root == f'{tmp_path}/shapes'


def test_without_the_variable_the_data_lie_in_data(monkeypatch):
    monkeypatch.delenv('MMWSSS_DATA', raising=False)
    assert load('voc12').data_root == 'data/VOCdevkit/VOC2012'


def trains(config):
    """Whether images are loaded for a training; `voc12` and `shapes` leave the pipeline open."""
    loader = config.get('train_dataloader')
    return bool(loader) and 'pipeline' in loader.dataset


TRAINED = sorted(path.stem for path in CONFIGS.glob('*.py') if trains(load(path.stem)))


@pytest.mark.parametrize('name', TRAINED)
def test_no_stage_trains_on_true_masks(name):
    dataset = load(name).train_dataloader.dataset
    assert 'seg_map_path' not in dataset.get('data_prefix', {})
    loaded = {step.type for step in dataset.pipeline}
    assert 'LoadAnnotations' not in loaded
    made = {'LoadPseudoLabels', 'LoadConfidentScores'}
    assert bool(made & loaded) == (dataset.supervision is None)
