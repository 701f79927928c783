import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets.annotations import read_voc_xml
from mmwsss.datasets.shapes import CLASSES, make_sample
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/make_shapes.py'


@pytest.fixture(scope='module')
def make_shapes():
    spec = importlib.util.spec_from_file_location('make_shapes', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_shapes


SETTINGS = {'train': 3, 'val': 2, 'size': 32, 'seed': 0}


def test_the_seed_decides_everything():
    first, again, other = make_sample(1, 32), make_sample(1, 32), make_sample(2, 32)
    for a, b in zip(first, again, strict=True):
        assert (a == b).all()
    assert (first.image != other.image).any()


def test_boxes_are_tight_around_every_object():
    for seed in range(40):
        sample = make_sample(seed, 48)
        assert len(sample.boxes) == len(sample.labels) > 0
        covered = np.zeros_like(sample.mask, dtype=bool)
        for (x1, y1, x2, y2), label in zip(sample.boxes, sample.labels, strict=True):
            own = sample.mask[y1:y2, x1:x2] == label + 1
            assert own[0].any()
            assert own[-1].any()
            assert own[:, 0].any()
            assert own[:, -1].any()
            covered[y1:y2, x1:x2] = True
        assert not sample.mask[~covered].any()


def test_all_classes_several_objects_and_overlaps_occur():
    samples = [make_sample(seed, 48) for seed in range(40)]
    assert {label for sample in samples for label in sample.labels} == set(range(len(CLASSES)))
    assert {len(sample.labels) for sample in samples} == {1, 2, 3, 4}
    filled = [_filled_boxes(sample) for sample in samples]
    assert any(
        sum((box[2] - box[0]) * (box[3] - box[1]) for box in sample.boxes) > (label > 0).sum()
        for sample, label in zip(samples, filled, strict=True)
    )


def _filled_boxes(sample):
    """The best simple rule: fill the boxes, small ones on top of large ones."""
    label = np.zeros_like(sample.mask)
    areas = (sample.boxes[:, 2:] - sample.boxes[:, :2]).prod(axis=1)
    for i in np.argsort(-areas):
        x1, y1, x2, y2 = sample.boxes[i]
        label[y1:y2, x1:x2] = sample.labels[i] + 1
    return label


def test_filled_boxes_are_far_from_the_truth():
    size = len(CLASSES) + 1
    confusion = np.zeros((size, size))
    for seed in range(60):
        sample = make_sample(seed, 64)
        pairs = size * sample.mask.astype(int) + _filled_boxes(sample)
        confusion += np.bincount(pairs.ravel(), minlength=size * size).reshape(size, size)
    hit = np.diag(confusion)
    iou = hit / (confusion.sum(0) + confusion.sum(1) - hit)
    assert 0.5 < iou.mean() < 0.7


def test_too_small_images_are_refused():
    with pytest.raises(ValueError, match='32'):
        make_sample(0, 16)


def test_the_tool_writes_a_voc_folder(tmp_path, make_shapes):
    out = tmp_path / 'new' / 'shapes'
    assert make_shapes(out, **SETTINGS)
    ids = (out / 'ImageSets/Segmentation/train.txt').read_text().split()
    assert ids == ['train_00000', 'train_00001', 'train_00002']
    mask = Image.open(out / 'SegmentationClass/val_00001.png')
    assert mask.mode == 'P'
    sample = make_sample((0, 1, 1), 32)
    assert (np.asarray(mask) == sample.mask).all()
    objects = read_voc_xml(out / 'Annotations/val_00001.xml').objects
    assert [entry.box for entry in objects] == [tuple(box) for box in sample.boxes]
    assert [path.name for path in out.parent.iterdir()] == ['shapes']  # nothing temporary is left


def test_a_second_run_does_nothing(tmp_path, make_shapes):
    make_shapes(tmp_path / 'shapes', **SETTINGS)
    (tmp_path / 'shapes/JPEGImages/train_00000.jpg').unlink()
    assert not make_shapes(tmp_path / 'shapes', **SETTINGS)
    assert not (tmp_path / 'shapes/JPEGImages/train_00000.jpg').exists()


@pytest.mark.parametrize('content', ['photo.jpg', 'shapes.json'])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path, make_shapes, content):
    (tmp_path / content).write_text(json.dumps({'train': 3}))
    with pytest.raises(UserInputError, match='not empty'):
        make_shapes(tmp_path, **SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == [content]


def test_other_arguments_do_not_overwrite(tmp_path, make_shapes):
    make_shapes(tmp_path / 'shapes', **SETTINGS)
    with pytest.raises(UserInputError, match='not empty'):
        make_shapes(tmp_path / 'shapes', **{**SETTINGS, 'seed': 1})


@pytest.mark.parametrize('wrong', [{'train': 0}, {'size': 8}, {'seed': -1}])
def test_impossible_arguments_are_an_error(tmp_path, make_shapes, wrong):
    with pytest.raises(UserInputError, match='Expected'):
        make_shapes(tmp_path / 'shapes', **{**SETTINGS, **wrong})


def test_an_interrupted_run_leaves_nothing(tmp_path, make_shapes, monkeypatch):
    module = make_shapes.__globals__

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setitem(module, '_write_sample', interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_shapes(tmp_path / 'shapes', **SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_the_data_set_reads_what_the_tool_writes(tmp_path, make_shapes):
    make_shapes(tmp_path / 'shapes', **SETTINGS)
    dataset = DATASETS.build(
        {
            'type': 'ShapesWeakDataset',
            'data_root': str(tmp_path / 'shapes'),
            'ann_file': 'ImageSets/Segmentation/train.txt',
        }
    )
    assert dataset.foreground_classes == CLASSES
    sample = make_sample((0, 0, 2), 32)
    instances = dataset.get_data_info(2)['instances']
    assert [instance['bbox'] for instance in instances] == sample.boxes.tolist()
    assert [instance['bbox_label'] for instance in instances] == sample.labels.tolist()
