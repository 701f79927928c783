import re
import shutil

import pytest
from mmengine.config import Config
from PIL import Image

from mmwsss.engine.pipeline.label_reports import report_labels
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.state.stage_state import StageResult

TAKEN = 'train_dataloader.dataset.data_prefix.seg_map_path'


@pytest.fixture
def stages(shapes_data, tmp_path):
    """A label stage whose two labels are the true masks, and a training; returns their results."""
    root = shapes_data / 'shapes'
    dataset = dict(
        type='ShapesWeakDataset',
        data_root=str(root),
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='box',
        indices=6,
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


def test_labels_that_a_stage_starts_from_stand_beside_its_own(stages, tmp_path):
    (labels, segmentor), results = stages
    loop = dict(type='PseudoLabelLoop', generator=dict(labels=dict(walk={})))
    walk = Config(dict(test_cfg=loop, test_dataloader=labels.config.test_dataloader))
    shutil.copytree(tmp_path / 'crf', tmp_path / 'walk')
    results['walk'] = StageResult({'walk': str(tmp_path / 'walk')})
    takes = {'model.folder': 'labels.seed_scores'}
    taking = Stage('segmentor', segmentor.config, {TAKEN: 'walk.walk'}, task='train')
    walking = Stage('walk', walk, takes, task='test')
    report_labels([labels, walking, taking], results, tmp_path, num_workers=0)
    assert title(tmp_path) == 'walk'
    text = (tmp_path / 'label_report.html').read_text()
    assert re.findall('scope="row" data-value="(seed|crf|walk)"', text) == ['seed', 'walk']


@pytest.mark.slow
def test_a_report_is_written_again_only_if_something_of_it_changed(stages, tmp_path, capsys):
    def is_written(*names):
        chosen = [stage for stage in stages[0] if not names or stage.name in names]
        before = page.stat().st_ino if page.exists() else None
        report_labels(chosen, stages[1], tmp_path, num_workers=0)
        new = page.stat().st_ino != before
        assert ('(unchanged)' in capsys.readouterr().out) is not new
        return new

    page = tmp_path / 'label_report.html'
    assert is_written()
    assert not is_written()
    assert is_written('labels')  # on the other labels
    assert is_written()
    for name in ('seed', 'crf'):  # a label and an earlier one, corrected by hand
        label = min((tmp_path / name).iterdir())
        Image.new('L', Image.open(label).size).save(label)
        assert is_written()
        assert not is_written()
    page.write_bytes(b'\xff')
    assert is_written()


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
