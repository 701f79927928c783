"""The code in the documents runs exactly as printed."""

import json
import re
import runpy
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config
from PIL import Image

from mmwsss.engine.config.data import read_data
from mmwsss.engine.pipeline.stages import load_stages
from mmwsss.registry import DATASETS, MODELS, TASK_UTILS

ROOT = Path(__file__).parents[1]


def files_of(document: str) -> dict[str, str]:
    """Files that a document writes: a bold path and the code block after it."""
    text = (ROOT / document).read_text()
    return dict(re.findall(r'\*\*`([^`]+)`\*\*\n+```python\n(.*?)```', text, flags=re.DOTALL))


TUTORIAL = files_of('docs/add_a_method.md')
EXAMPLES = {**files_of('README.md'), **files_of('docs/mixing.md')}


@pytest.fixture
def read_config(tmp_path):
    """Write a document's config next to a copy of the project's configs, and read it."""
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')

    def read(path: str, code: str) -> Config:
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
        return Config.fromfile(file)

    return read


@pytest.fixture
def project(tmp_path):
    """A folder with the files of the tutorial, next to a checkout of mmwsss."""
    folder = tmp_path / 'my_project'
    folder.mkdir()
    for path, code in TUTORIAL.items():
        (folder / path).write_text(code)
    (tmp_path / 'mmwsss').symlink_to(ROOT)
    return folder


def test_the_tutorial_writes_nothing_into_the_package():
    assert len(TUTORIAL) == 6
    assert all('/' not in path for path in TUTORIAL)


def test_the_tests_of_the_tutorial_pass(project, monkeypatch):
    monkeypatch.syspath_prepend(project)
    for registry in (MODELS, TASK_UTILS):  # nothing stays registered
        monkeypatch.setattr(registry, '_module_dict', dict(registry.module_dict))
    scope = runpy.run_path(str(project / 'test_parts.py'))
    tests = [value for name, value in scope.items() if name.startswith('test_')]
    assert len(tests) == 5
    for test in tests:
        test()


def test_the_pipeline_of_the_tutorial_runs(project, warm, shapes_data, tmp_path):
    short = ['classifier.train_cfg.max_iters=2', 'labels.test_cfg.num_workers=0']
    run = warm.start(
        ['tools/train.py', project / 'rank_shapes.py', '--verbose', '--cfg-options', *short],
        environment=dict(MMWSSS_DATA=shapes_data),
        cwd=project,
        before='site:addsitedir',  # as PYTHONPATH=. on the command line
        options=dict(sitedir=str(project)),
    )
    assert run.wait() == 0, run.output
    assert 'loss_equivariance' in run.output
    made = project / 'work_dirs/rank_shapes/labels/labels'
    assert len(list((made / 'smooth').glob('*.png'))) == len(list((made / 'seed').glob('*.png')))
    assert len(list((made / 'smooth').glob('*.png'))) > 0


def test_the_first_mixed_config_builds(read_config):
    config = read_config('configs/mixed/my_first.py', EXAMPLES['configs/mixed/my_first.py'])
    model = MODELS.build(config.model)
    assert type(model.head.pooling).__name__ == 'GlobalAveragePooling'
    assert type(model.objectives[0]).__name__ == 'MultiLabelSoftMargin'
    generator = TASK_UTILS.build(config.test_cfg.generator)
    assert set(generator.names) == {'boxed'}


def test_the_data_file_of_the_readme_runs_through_the_pipeline_that_it_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('my_data.py').write_text(EXAMPLES['my_data.py'])
    tags = {'a.jpg': ['cat'], 'holiday/b.png': ['cat', 'dog']}
    for name in tags:
        path = tmp_path / 'data/pets/images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (8, 6)).save(path)
    (tmp_path / 'data/pets/tags.json').write_text(json.dumps(tags))
    pipeline = Config.fromfile(ROOT / 'configs/psa_mobilenet-v2_voc.py')
    stages = {stage.name: stage for stage in load_stages(pipeline, data=read_data('my_data.py'))}
    dataset = DATASETS.build(stages['classifier'].config.train_dataloader.dataset)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert {i['img_id']: i['gt_label'] for i in infos} == {'a': [0], 'holiday/b': [0, 1]}
    assert stages['classifier'].config.model.head.num_classes == 2
    assert stages['segmentor'].config.model.decode_head.num_classes == 3
