"""Every shipped pipeline runs from its first stage to its last, at its real width."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from tiny import TRAIN, give_random_weights, make_tiny, write_voc

from mmwsss.engine.pipeline.run import run_pipeline
from mmwsss.engine.pipeline.stages import load_stages

CONFIGS = Path(__file__).parents[2] / 'configs'
PIPELINES = sorted(
    path
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.parts and 'stages = ' in path.read_text()
)


@pytest.fixture(scope='module')
def data(shapes_data):
    """Folder with the shapes and a VOC of four images."""
    write_voc(shapes_data)
    return shapes_data


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp('weights')
    yield folder
    shutil.rmtree(folder)  # half a gigabyte


@pytest.fixture
def work_dir(tmp_path):
    yield tmp_path
    shutil.rmtree(tmp_path)  # a checkpoint of the wide ResNet-38 takes 400 MB


@pytest.mark.slow
@pytest.mark.parametrize('path', PIPELINES, ids=lambda path: path.stem)
def test_every_pipeline_runs_from_weak_labels_to_its_last_stage(
    path, data, weights, work_dir, monkeypatch
):
    pytest.importorskip('pydensecrf')
    monkeypatch.setenv('MMWSSS_DATA', str(data))
    stages = load_stages(Config.fromfile(path))
    for stage in stages:
        make_tiny(stage.config, task=stage.task)
        give_random_weights(stage.config, weights)
    results = run_pipeline(stages, work_dir / path.stem)
    assert list(results) == [stage.name for stage in stages]
    for stage in stages:
        result = results[stage.name]
        assert all(np.isfinite(value) for value in result.metrics.values())
        if stage.makes_labels:
            for name in stage.config.test_cfg.generator.labels:
                check_labels(Path(result.outputs[name]))


def check_labels(folder):
    labels = {file.stem: np.asarray(Image.open(file)) for file in folder.glob('*.png')}
    assert len(labels) == 12 or labels.keys() == set(TRAIN)
    assert max(label[label < 255].max(initial=0) for label in labels.values()) <= 20
