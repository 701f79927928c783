"""The published augmentation of Spatial-BCE, put together from MMPreTrain's operations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmwsss.datasets import VOCWeakDataset
from mmwsss.registry import DATASETS, TRANSFORMS
from mmwsss.structures import write_proportions

CONFIG = Path(__file__).parents[2] / 'configs/_base_/datasets/voc12_tags_randaugment_369.py'
DOG = 11
PAD = (128, 128, 128)


@pytest.fixture(scope='module')
def config():
    return Config.fromfile(CONFIG)


@pytest.fixture(params=['RGB', 'L'])
def data_root(request, voc):
    """One image, colour or greyscale, of noise with a dog."""
    voc.add('a', ('dog', (1, 1, 40, 30)), size=(64, 48))
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).convert(request.param).save(voc.root / 'JPEGImages/a.jpg')
    values = np.zeros((1, 20))
    values[0, DOG] = 0.25
    classes = VOCWeakDataset.METAINFO['classes'][1:]
    write_proportions(voc.root / 'p.npz', ['a'], values, classes)
    return voc.root


def build(dataset, data_root, **options):
    options = dict(data_root=str(data_root), ann_file='lists/train.txt', **options)
    return DATASETS.build({**dataset, **options})


def test_every_draw_warps_the_image_and_leaves_tags_and_proportions(config, data_root):
    dataset = build(config.train_dataloader.dataset, data_root, proportion_file='p.npz')
    drawn = []
    for seed in range(30):
        np.random.seed(seed)
        packed = dataset[0]
        drawn.append(packed['inputs'])
        assert packed['inputs'].shape == (3, 369, 369)
        assert packed['inputs'].dtype == torch.uint8
        sample = packed['data_samples']
        assert sample.gt_label.tolist() == [DOG]
        assert sample.gt_proportion.nonzero().tolist() == [[DOG]]
        assert sample.gt_proportion[DOG] == 0.25
    assert len({image.numpy().tobytes() for image in drawn}) > 10


def test_the_policy_has_fifteen_operations_of_probability_one_half(config):
    policy = TRANSFORMS.build(config.train_pipeline[3])
    operations = list(policy)
    assert policy.num_policies == 2
    assert len(operations) == 15
    assert {operation.prob for operation in operations} == {0.5}
    for operation in operations:
        if hasattr(operation, 'pad_val') and type(operation).__name__ != 'Cutout':
            assert operation.pad_val == PAD


def always(config, name):
    """The operation of the policy with this name, always applied, at its strongest."""
    policy = TRANSFORMS.build(config.train_pipeline[3])
    (operation,) = (op for op in policy if type(op).__name__ == name)
    operation.prob, operation.magnitude_std = 1, 0
    return operation


def test_rotation_is_counterclockwise_and_fills_with_grey(config):
    image = np.zeros((41, 41, 3), dtype=np.uint8)
    image[20, 30:] = 255  # to the right of the centre
    rotated = always(config, 'Rotate')(dict(img=image))['img']
    rows, columns = np.nonzero((rotated == 255).all(axis=2))
    assert rows.max() < 20 and columns.min() > 20  # above the centre, and still on the right
    assert rotated[0, 0].tolist() == list(PAD)


def test_the_filling_of_a_cutout_is_the_mean_colour(config):
    np.random.seed(0)
    cut = always(config, 'Cutout')(dict(img=np.zeros((60, 60, 3), dtype=np.uint8)))['img']
    rows, columns = np.nonzero(cut.any(axis=2))
    assert np.ptp(rows) == np.ptp(columns) == 19
    assert cut[rows[0], columns[0]].tolist() == [113, 122, 125]


def test_the_strongest_operations_are_the_published_ones(config):
    image = np.full((4, 4, 3), 200, dtype=np.uint8)
    assert (always(config, 'Posterize')(dict(img=image + 7))['img'] == 192).all()  # four bits
    assert (always(config, 'Solarize')(dict(img=image))['img'] == 55).all()  # all inverted


def test_labels_are_made_at_four_scales_of_the_original(config, data_root):
    views = build(config.test_dataloader.dataset, data_root)[0]
    sizes = [tuple(image.shape[-2:]) for image in views['inputs']]
    assert sizes == [(48, 64), (24, 32), (72, 96), (96, 128)]
    for sample in views['data_samples']:
        assert sample.gt_label.tolist() == [DOG]
        assert sample.ori_shape == (48, 64)
