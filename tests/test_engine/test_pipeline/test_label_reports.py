import re
import shutil

import pytest
from mmengine.config import Config

from mmwsss.engine.pipeline.label_reports import report_labels
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.state.stage_state import StageResult

TAKEN = 'train_dataloader.dataset.data_prefix.seg_map_path'


@pytest.fixture
def stages(shapes_data, tmp_path):
    """A label stage with two labels, which are the true masks, and a training; their results."""
    root = shapes_data / 'shapes'
    dataset = dict(
        type='ShapesWeakDataset',
        data_root=str(root),
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='box',
        data_prefix=dict(seg_map_path='SegmentationClass'),
    )
    names = ('seed', 'crf')
    loop = dict(type='PseudoLabelLoop', generator=dict(labels={name: {} for name in names}))
    config = Config(dict(test_cfg=loop, test_dataloader=dict(dataset=dataset)))
    for name in names:
        shutil.copytree(root / 'SegmentationClass', tmp_path / name)
    outputs = {name: str(tmp_path / name) for name in names}
    stages = [
        Stage('labels', config, task='test'),
        Stage('segmentor', Config(dict(train_cfg={})), {TAKEN: 'labels.seed'}, task='train'),
    ]
    return stages, {'labels': StageResult({**outputs, 'seed_scores': 'none'})}


def title(folder):
    return re.search('<h1>(.*)</h1>', (folder / 'label_report.html').read_text())[1]


def test_the_report_is_on_the_labels_that_a_training_takes(stages, tmp_path, capsys):
    report_labels(*stages, tmp_path, num_workers=0)
    text = (tmp_path / 'label_report.html').read_text()
    assert title(tmp_path) == 'seed'
    assert 'Differs from crf' not in text  # they are equal
    assert 'Mean IoU</dt><dd class="value">100.0%' in text
    assert capsys.readouterr().out.endswith(f'{(tmp_path / "label_report.html").as_uri()}\n')


def test_without_a_training_it_is_on_the_last_labels(stages, tmp_path):
    (labels, _), results = stages
    report_labels([labels], results, tmp_path, num_workers=0)
    assert title(tmp_path) == 'crf'


def test_what_goes_wrong_is_one_warning(stages, tmp_path, capsys):
    shutil.rmtree(tmp_path / 'crf')
    report_labels(*stages, tmp_path, num_workers=0)
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith('warning: no report on the labels')]
    assert not (tmp_path / 'label_report.html').exists()


def test_a_pipeline_without_labels_has_no_report(stages, tmp_path, capsys):
    report_labels(stages[0], {}, tmp_path, num_workers=0)
    assert capsys.readouterr().out == ''
