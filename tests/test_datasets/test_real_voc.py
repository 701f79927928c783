"""The real PASCAL VOC images, if available (environment variable MMWSSS_DATA)."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmwsss.datasets.transforms import read_label_map
from mmwsss.registry import DATASETS

VOC = Path(os.environ.get('MMWSSS_DATA', '')) / 'VOCdevkit/VOC2012'
pytestmark = pytest.mark.skipif(
    'MMWSSS_DATA' not in os.environ or not (VOC / 'ImageSets/Segmentation/train.txt').is_file(),
    reason='set MMWSSS_DATA to a folder with VOCdevkit/VOC2012',
)
LIST = 'ImageSets/Segmentation/train.txt'


def build(**options):
    config = {'type': 'VOCWeakDataset', 'data_root': str(VOC), 'ann_file': LIST, **options}
    return DATASETS.build(config)


def test_every_image_but_the_unannotated_is_listed(notes):
    dataset = build()
    ids = (VOC / LIST).read_text().split()
    annotated = [i for i in ids if (VOC / f'Annotations/{i}.xml').is_file()]
    assert len(dataset) == len(annotated)
    assert len(build(missing_annotation='empty')) == len(ids)


def test_boxes_hold_the_true_masks(notes):
    pipeline = [{'type': 'LoadImage'}, {'type': 'LoadWeakAnnotations'}]
    dataset = build(
        pipeline=pipeline, indices=20, data_prefix={'seg_map_path': 'SegmentationClass'}
    )
    inside = foreground = 0
    for results in dataset:
        truth = read_label_map(results['seg_map_path'])
        assert truth.shape == results['background_mask'].shape == results['img'].shape[:2]
        object_pixels = (truth > 0) & (truth < 255)
        inside += (object_pixels & (results['background_mask'] == 0)).sum()
        foreground += object_pixels.sum()
    assert inside / foreground > 0.97


def test_tags_are_the_classes_of_the_masks(notes):
    dataset = build(supervision='tag', data_prefix={'seg_map_path': 'SegmentationClass'})
    agree = 0
    for i in range(20):
        info = dataset.get_data_info(i)
        values = np.unique(read_label_map(info['seg_map_path']))
        agree += set(info['gt_label']) == {int(v) - 1 for v in values if 0 < v < 255}
    assert agree >= 18


def test_the_published_augmentation_runs(notes):
    from mmengine.config import Config

    path = Path(__file__).parents[2] / 'configs/_base_/datasets/voc12_boxes_321.py'
    dataset = Config.fromfile(path).train_dataloader.dataset
    dataset.update(ann_file=LIST, data_root=str(VOC), indices=8)
    np.random.seed(0)
    for packed in DATASETS.build(dataset):
        sample = packed['data_samples']
        assert packed['inputs'].shape == (3, 321, 321)
        boxes = sample.gt_instances.bboxes
        assert ((boxes >= 0) & (boxes <= 322)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
