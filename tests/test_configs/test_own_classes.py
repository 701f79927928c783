"""Every config accepts a user's own data: all of its parts get the right number of classes."""

from pathlib import Path

import pytest
import torch
from photographs import write_coco, write_photographs

from mmwsss.engine.config.data import use_data
from mmwsss.engine.config.files import read_config
from mmwsss.models.class_counts import check_num_classes
from mmwsss.registry import MODELS

ROOT = Path(__file__).parents[2] / 'configs'
FILES = sorted(path for path in ROOT.rglob('*.py') if '_base_' not in path.parts)
# Parts of all kinds: a context and branches, heads of two networks, a pooling; the rest is slow.
QUICK = ('rca-branches_vgg16_voc12-368x368', 'aeft_mobilenet-v2_voc12-mini-320x320')
CASES = [
    pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow)
    for path in FILES
    if 'stages = ' not in path.read_text()
]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = write_photographs(tmp_path_factory.mktemp('photographs'))
    write_coco(root / 'coco.json')
    return root


@pytest.mark.parametrize('path', CASES)
def test_all_parts_of_every_config_have_the_number_of_own_classes(path, root):
    config = read_config(path)
    classes = ('cat', 'dog', 'horse')
    use_data(config, dict(root=str(root), classes=classes, labels='coco.json'))
    with torch.device('meta'):
        model = MODELS.build(config.model)
    check_num_classes(model, ('background', *classes))
