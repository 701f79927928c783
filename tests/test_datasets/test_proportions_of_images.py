"""Foreground proportions on their way from a file into the data sample."""

import numpy as np
import pytest
import torch

from mmwsss.datasets import VOCWeakDataset
from mmwsss.datasets.transforms import PackWeakInputs
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError, write_proportions

CLASSES = VOCWeakDataset.METAINFO['classes'][1:]
DOG, CAT = 11, 7


@pytest.fixture
def two(voc):
    return voc.add('a', ('dog', (1, 1, 4, 5))).add('b', ('cat', (1, 2, 3, 4)))


@pytest.fixture
def values():
    values = np.zeros((3, 20))
    values[0, CAT], values[1, DOG], values[2] = 0.1, 1.0, 0.5
    return values


def build(voc, **options):
    options = {'proportion_file': 'proportions.npz', 'supervision': 'tag', **options}
    return DATASETS.build(
        {
            'type': 'VOCWeakDataset',
            'ann_file': 'lists/train.txt',
            'data_root': str(voc.root),
            **options,
        }
    )


def write(voc, ids, values, classes=CLASSES):
    write_proportions(voc.root / 'proportions.npz', ids, values, classes)


def test_every_image_gets_its_proportions_by_its_id(two, values):
    write(two, ['b', 'a', 'other'], values)
    dataset = build(two)
    a, b = (dataset.get_data_info(i)['proportions'] for i in range(2))
    assert a.dtype == np.float64
    assert a[DOG] == 1 and a.sum() == 1  # a class that fills the image
    assert b[CAT] == 0.1 and b.sum() == 0.1


def test_a_path_outside_of_the_data_root_is_taken_as_it_is(two, values, tmp_path):
    write_proportions(tmp_path / 'far/p.npz', ['a', 'b', 'c'], values, CLASSES)
    dataset = build(two, proportion_file=str(tmp_path / 'far/p.npz'))
    assert dataset.get_data_info(1)['proportions'][DOG] == 1


def test_without_a_file_there_are_none(two):
    assert 'proportions' not in build(two, proportion_file='').get_data_info(0)


@pytest.mark.parametrize('missing_annotation', ['skip', 'empty', 'error'])
def test_images_without_proportions_are_counted_and_named(two, values, missing_annotation):
    write(two, ['b'], values[:1])
    with pytest.raises(UserInputError, match=r"proportions\.npz: `ids` lacks 1 of 2.*'a'"):
        build(two, missing_annotation=missing_annotation)


def test_images_that_are_left_out_need_no_proportions(two, values, notes):
    two.add('c', xml=False)
    write(two, ['a', 'b'], values[:2])
    assert len(build(two)) == 2


@pytest.mark.parametrize('classes', [CLASSES[::-1], ('cat', 'dog')])
def test_a_file_of_other_classes_is_refused(two, values, classes):
    write(two, ['a', 'b', 'c'], values[:, : len(classes)], classes)
    with pytest.raises(UserInputError, match=r'proportions\.npz: `classes` are .* of the data set'):
        build(two)


def test_a_missing_file_is_named(two):
    with pytest.raises(UserInputError, match=r"voc/proportions\.npz' does not exist"):
        build(two)


def test_the_sample_has_proportions_in_double_precision(two, values):
    write(two, ['a', 'b', 'c'], values)
    pipeline = [
        dict(type='LoadImage'),
        dict(type='LoadWeakAnnotations'),
        dict(type='PackWeakInputs'),
    ]
    sample = build(two, pipeline=pipeline)[0]['data_samples']
    assert sample.gt_proportion.dtype == torch.float64
    assert sample.gt_proportion.tolist() == values[0].tolist()
    assert sample.gt_label.tolist() == [DOG]  # present, though its proportion is 0


def test_packing_copies_the_proportions():
    values = np.array([0.5, 0.0])
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    sample = PackWeakInputs(meta_keys=()).transform(dict(img=image, proportions=values))
    values[:] = 1
    assert sample['data_samples'].gt_proportion.tolist() == [0.5, 0]
