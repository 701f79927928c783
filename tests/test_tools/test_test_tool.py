import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsss.structures import UserInputError, write_scores

BASES = Path(__file__).parents[2] / 'configs/_base_'
CONFIG = """
_base_ = [{bases!r} + '/datasets/shapes.py', {bases!r} + '/default_runtime.py']
model = dict({model})
pipeline = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='LoadAnnotations'),
    dict(type='PackWeakInputs'),
]
train_dataloader = None
test_dataloader = dict(dataset=dict(pipeline=pipeline))
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='SeedIoUWithGroundTruth')
"""


@pytest.fixture
def run_test(load_tool, shapes_data, tmp_path, monkeypatch):
    """Test a model on the shapes with tools/test.py, without a checkpoint."""

    def run(model):
        config = tmp_path / 'config.py'
        config.write_text(CONFIG.format(bases=str(BASES), model=model))
        monkeypatch.setenv('MMWSSS_DATA', str(shapes_data))
        arguments = ['test.py', str(config), '--work-dir', str(tmp_path / 'work')]
        monkeypatch.setattr(sys, 'argv', arguments)
        load_tool('test.py').main()

    return run


def test_stored_seeds_are_tested_without_a_checkpoint(run_test, shapes_data, tmp_path, capsys):
    for path in (shapes_data / 'shapes/SegmentationClass').iterdir():
        with Image.open(path) as mask:
            label = np.asarray(mask)
        classes = np.setdiff1d(label, [0, 255]) - 1
        scores = np.stack([label == row for row in (0, *(classes + 1))])
        write_scores(tmp_path / 'seed_scores' / f'{path.stem}.npz', scores, classes, 'x')
    folder = str(tmp_path / 'seed_scores')
    run_test(f"type='StoredCAMs', folder={folder!r}")
    printed = capsys.readouterr().out
    assert 'mIoU' in printed and ': 100.00' in printed


def test_a_network_without_a_checkpoint_is_refused(run_test):
    with pytest.raises(UserInputError, match='load_from is not set'):
        run_test("type='FCNHead', in_channels=3, channels=4, num_classes=2")
