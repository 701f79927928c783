"""What is not the work folder of a finished pipeline is refused in one line."""

import json

import pytest

from mmwsss.engine.pipeline.gallery import gallery_of
from mmwsss.structures import UserInputError


def write(folder, **stages):
    (folder / 'results.json').write_text(json.dumps(stages))
    for name, result in stages.items():
        (folder / name).mkdir()
        (folder / name / 'stage.json').write_text(json.dumps(dict(result, seconds=1.0, decided={})))
    return folder


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(UserInputError, match=r'results\.json does not exist\. Name work folders'):
        gallery_of(tmp_path, count=1)


def test_a_stage_without_its_config_is_refused(tmp_path):
    folder = write(tmp_path, labels=dict(outputs={'seed': 'labels/seed'}, metrics={}))
    with pytest.raises(UserInputError, match='labels has no config of the stage'):
        gallery_of(folder, count=1)


def test_a_pipeline_without_labels_is_refused(tmp_path):
    folder = write(tmp_path, train=dict(outputs={'checkpoint': 'iter_1.pth'}, metrics={}))
    (tmp_path / 'train/a.py').write_text("model = dict(type='CAMClassifier')")
    with pytest.raises(UserInputError, match='none of its finished stages made labels'):
        gallery_of(folder, count=1)
