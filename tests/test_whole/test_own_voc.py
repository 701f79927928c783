"""Cats, dogs and people of PASCAL VOC as a user's own data: their names change nothing."""

import os
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from PIL import Image

from mmwsss.datasets import VOCWeakDataset
from mmwsss.engine.config.data import use_data
from mmwsss.engine.config.files import read_config
from mmwsss.registry import MODELS

VOC = Path(os.environ.get('MMWSSS_DATA', '')) / 'VOCdevkit/VOC2012'
CONFIG = Path(__file__).parents[2] / 'configs/demo/psa-cam_resnet18_shapes-96x96.py'
NAMES = ('cat', 'dog', 'person')
OWN = dict(zip(NAMES, ('Kätzchen', 'my dog', 'human'), strict=True))
pytestmark = pytest.mark.skipif(
    'MMWSSS_DATA' not in os.environ or not (VOC / 'ImageSets/Segmentation/train.txt').is_file(),
    reason='set MMWSSS_DATA to a folder with VOCdevkit/VOC2012',
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Six images of train.txt with at least one of the classes, and random weights."""
    folder = tmp_path_factory.mktemp('voc')
    ids = (VOC / 'ImageSets/Segmentation/train.txt').read_text().split()
    for name in NAMES:
        of_class = (i for i in ids if f'<name>{name}<' in annotation(i))
        for img_id in islice(of_class, 2):
            for below, suffix in (
                ('JPEGImages', '.jpg'),
                ('Annotations', '.xml'),
                ('SegmentationClass', '.png'),
            ):
                (folder / 'own' / below).mkdir(parents=True, exist_ok=True)
                shutil.copy(VOC / below / f'{img_id}{suffix}', folder / 'own' / below)
    config = read_config(CONFIG)
    use_data(config, describe(folder, NAMES))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmwsss'):
        model = MODELS.build(config.model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'random.pth')
    return folder


def annotation(img_id):
    path = VOC / f'Annotations/{img_id}.xml'
    return path.read_text() if path.is_file() else ''


def describe(folder, classes):
    masks = dict(path='SegmentationClass', classes=VOCWeakDataset.METAINFO['classes'])
    return dict(
        root=str(folder / 'own'),
        classes=classes,
        images='JPEGImages',
        labels='Annotations',
        masks=masks,
    )


def label(warm, folder, name, classes):
    """Make labels; return their files and the printed figures."""
    (folder / f'{name}.py').write_text(f'data = {describe(folder, classes)!r}')
    done = warm.run(
        [
            'tools/generate_pseudo_labels.py',
            CONFIG,
            folder / 'random.pth',
            *('--data', f'{name}.py', '--cfg-options', 'test_cfg.num_workers=0'),
        ],
        cwd=folder,
    )
    assert done.code == 0, done.stderr[-3000:]
    labels = folder / f'work_dirs/{CONFIG.stem}_{name}/labels'
    files = {str(p.relative_to(labels)): p.read_bytes() for p in labels.rglob('*.png')}
    return files, [line for line in done.stdout.splitlines() if line.startswith('seed/')]


@pytest.mark.slow
def test_labels_and_figures_are_the_same_whatever_the_names(warm, folder):
    pytest.importorskip('pydensecrf')
    files, figures = label(warm, folder, 'voc_names', NAMES)
    renamed_files, renamed_figures = label(warm, folder, 'own_names', OWN)
    assert len(files) == 3 * len(list((folder / 'own/JPEGImages').iterdir()))
    assert files == renamed_files  # including their stamps
    assert figures == renamed_figures
    assert any('mIoU' in line for line in figures)


@pytest.mark.slow
def test_perfect_labels_of_own_classes_are_perfect(warm, folder):
    """Labels corrected by hand are measured: VOC's masks, numbered by the user's classes."""
    classes = VOCWeakDataset.METAINFO['classes']
    numbers = np.zeros(256, dtype=np.uint8)
    numbers[255] = 255
    for number, name in enumerate(NAMES, start=1):
        numbers[classes.index(name)] = number
    made = folder / f'work_dirs/{CONFIG.stem}_perfect/labels/seed'
    made.mkdir(parents=True)
    for path in (folder / 'own/SegmentationClass').iterdir():
        Image.fromarray(numbers[np.asarray(Image.open(path))]).save(made / path.name)
    _, figures = label(warm, folder, 'perfect', OWN)
    assert 'seed/mIoU: 100.00' in figures
