"""The code in the documents runs as it stands there."""

import json
import re
import shutil
import sys
import types
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmseg.structures import SegDataSample
from PIL import Image

from mmwsss.models import poolings
from mmwsss.registry import DATASETS, MODELS, TASK_UTILS

ROOT = Path(__file__).parents[1]


def files_of(document: str) -> dict[str, str]:
    """Files that a document writes: a bold path and the code block after it."""
    text = (ROOT / document).read_text()
    return dict(re.findall(r'\*\*`([^`]+)`\*\*\n+```python\n(.*?)```', text, flags=re.DOTALL))


TUTORIAL = files_of('docs/add_a_method.md')
EXAMPLES = files_of('README.md')


@pytest.fixture
def read_config(tmp_path):
    """Write a document's config beside a copy of the project's, and read it."""
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')

    def read(path: str, code: str) -> Config:
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
        return Config.fromfile(file)

    return read


@pytest.fixture
def tutorial_pooling(monkeypatch):
    """Load the tutorial's component as if it were part of the package; take it back afterwards."""
    name = 'mmwsss.models.poolings.global_weighted_rank_pooling'
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(TUTORIAL['mmwsss/models/poolings/global_weighted_rank_pooling.py'], vars(module))
    scope: dict = {}
    exec(TUTORIAL['mmwsss/models/poolings/__init__.py'], scope)
    pooling = scope['GlobalWeightedRankPooling']
    monkeypatch.setattr(poolings, 'GlobalWeightedRankPooling', pooling, raising=False)
    yield pooling
    MODELS.module_dict.pop('GlobalWeightedRankPooling')


def test_the_tutorial_adds_no_more_than_three_files_of_code():
    new = [path for path in TUTORIAL if path.startswith('mmwsss/') and '__init__' not in path]
    assert len(new) <= 3


def test_the_tests_of_the_tutorial_pass(tutorial_pooling):
    scope: dict = {}
    path = 'tests/test_models/test_poolings/test_global_weighted_rank_pooling.py'
    exec(TUTORIAL[path], scope)
    tests = [value for name, value in scope.items() if name.startswith('test_')]
    assert len(tests) >= 4
    for test in tests:
        test()


def test_the_config_of_the_tutorial_trains_a_step(tutorial_pooling, read_config):
    path = 'configs/gwrp/gwrp_mobilenet-v2_voc12-mini-320x320.py'
    model = MODELS.build(read_config(path, TUTORIAL[path]).model)
    assert isinstance(model.head.pooling, tutorial_pooling)
    samples = [SegDataSample(), SegDataSample()]
    for sample in samples:
        sample.gt_score = torch.eye(20)[3]
    losses = model.loss(torch.zeros(2, 3, 64, 64), samples)
    assert torch.isfinite(losses['loss_multi_label'])


def test_the_first_config_of_the_readme_builds(read_config):
    config = read_config('configs/mixed/my_first.py', EXAMPLES['configs/mixed/my_first.py'])
    model = MODELS.build(config.model)
    assert type(model.head.pooling).__name__ == 'GlobalAveragePooling'
    assert type(model.objectives[0]).__name__ == 'MultiLabelSoftMargin'
    generator = TASK_UTILS.build(config.test_cfg.generator)
    assert set(generator.names) == {'boxed'}


def test_the_config_for_own_tags_of_the_readme_reads_images_and_tags(read_config, tmp_path):
    config = read_config('configs/mixed/pets_tags.py', EXAMPLES['configs/mixed/pets_tags.py'])
    (tmp_path / 'JPEGImages').mkdir()
    for name in ('rex', 'tom'):
        Image.new('RGB', (8, 6)).save(tmp_path / 'JPEGImages' / f'{name}.jpg')
    (tmp_path / 'tags.json').write_text(json.dumps({'rex': ['dog'], 'tom': ['cat', 'dog']}))
    config.train_dataloader.dataset.data_root = str(tmp_path)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    tags = {info['img_id']: info['gt_label'] for info in map(dataset.get_data_info, range(2))}
    assert tags == {'rex': [1], 'tom': [0, 1]}
    assert MODELS.build(config.model).head.num_classes == 2
