import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsss.engine.config.files import read_config
from mmwsss.structures import UserInputError, write_scores

BASES = Path(__file__).parents[2] / 'configs/_base_'
STAGE = """
_base_ = [{bases!r} + '/datasets/shapes.py', {bases!r} + '/default_runtime.py']
model = dict(type='StoredCAMs', folder={folder!r})
train_dataloader = None
test_cfg = dict(
    type='PseudoLabelLoop',
    num_workers=0,
    generator=dict(
        type='PseudoLabelGenerator',
        normalize=dict(type='MaxNormalize'),
        labels=dict(
            seed=dict(background=dict(type='PowerBackground', alpha=16)),
            same=dict(background=dict(type='PowerBackground', alpha=16)),
            other=dict(background=dict(type='ConstantBackground', threshold=0.9)),
            later=dict(start='seed', labeler=dict(type='ArgmaxLabeler'), refiners=[
                dict(type='PixelAdaptiveRefinement', dilations=(1,), iterations=1)]),
        ),
    ),
)
test_evaluator = []
"""


@pytest.fixture
def pipeline(shapes_data, tmp_path, monkeypatch):
    """A pipeline that labels shapes from maps of 0.2 outside of objects and 1 in them."""
    folder = tmp_path / 'maps'
    for path in (shapes_data / 'shapes/SegmentationClass').iterdir():
        with Image.open(path) as mask:
            label = np.asarray(mask)
        classes = np.setdiff1d(label, [0, 255]) - 1
        maps = np.stack([0 * label, *(label == c + 1 for c in classes)]).astype(np.float32)
        maps[1:] = maps[1:].clip(0.2)
        write_scores(folder / f'{path.stem}.npz', maps, classes, 'x')
    (tmp_path / 'stage.py').write_text(STAGE.format(bases=str(BASES), folder=str(folder)))
    config = tmp_path / 'pipeline.py'
    config.write_text("stages = dict(labels=dict(config='stage.py', task='test'))\n")
    monkeypatch.setenv('MMWSSS_DATA', str(shapes_data))
    return config


@pytest.fixture
def run(load_tool, monkeypatch):
    def of(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        load_tool(tool).main()

    return of


def test_the_written_pipeline_labels_with_the_choice(pipeline, run, shapes_data, tmp_path, capsys):
    work, masks = tmp_path / 'work', shapes_data / 'shapes/SegmentationClass'
    run('analysis_tools/choose_background.py', pipeline, '--work-dir', work, '--images', 4)
    assert 'labels.seed: alpha = ' in capsys.readouterr().out
    chosen = read_config(work / 'chosen.py').stages.labels.options
    alpha = chosen['test_cfg.generator.labels']['seed']['background']['alpha']
    assert 0.8**alpha > 0.2  # the lower height is background now; with 16 it was foreground
    assert set(chosen['test_cfg.generator.labels']) == {'seed', 'same'}

    run('train.py', work / 'chosen.py', '--work-dir', work)
    noted = json.loads((work / 'labels/labels/manifest.json').read_text())['chosen']['background']
    assert noted['value'] == alpha and noted['before'] == 16 and noted['images'] == 4
    assert noted['method'] == 'SeedThresholdWithoutMasks'
    for path in (work / 'labels/labels/seed').glob('*.png'):
        with Image.open(path) as label, Image.open(masks / path.name) as mask:
            true = np.asarray(mask)
            assert np.array_equal(np.asarray(label)[true != 255], true[true != 255])


def test_a_threshold_is_chosen_by_name(pipeline, run, tmp_path):
    out = tmp_path / 'my.py'
    options = ('--work-dir', tmp_path / 'work', '--label', 'labels.other', '--out', out)
    run('analysis_tools/choose_background.py', pipeline, *options)
    labels = read_config(out).stages.labels.options['test_cfg.generator.labels']
    assert 0.2 <= labels['other']['background']['threshold'] < 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--label', 'labels.later'), 'starts from another label. .*labels.seed, labels.same'),
        (('--label', 'seed'), 'is not a label of this pipeline'),
        (('--images', '0'), '--images 0'),
    ],
)
def test_what_cannot_be_chosen_is_refused(pipeline, run, tmp_path, options, message):
    with pytest.raises(UserInputError, match=message):
        run(
            'analysis_tools/choose_background.py',
            *(pipeline, '--work-dir', tmp_path / 'work', *options),
        )


def test_a_single_stage_is_refused(pipeline, run, tmp_path):
    stage = pipeline.with_name('stage.py')
    with pytest.raises(UserInputError, match='is a single stage'):
        run('analysis_tools/choose_background.py', stage, '--work-dir', tmp_path / 'work')


def test_a_pipeline_without_a_threshold_is_refused(run, tmp_path):
    config = Path(__file__).parents[2] / 'configs/bana_voc.py'
    with pytest.raises(UserInputError, match='no label of this pipeline starts from'):
        run('analysis_tools/choose_background.py', config, '--work-dir', tmp_path / 'work')
