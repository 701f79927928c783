"""Files read by the parts of a label generator: missing ones, and how they mark the labels."""

import itertools
import shutil

import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from mmwsss.affinity import stencil_affinities
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

_runs = itertools.count()


@MODELS.register_module()
class PixelAffinity(BaseModel):
    """Compares single pixels, times a weight that a checkpoint holds."""

    def __init__(self, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.weight = nn.Parameter(torch.ones(1))
        self.radius = 2

    def affinities(self, images):
        return stencil_affinities(self.weight * images, radius=self.radius)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.affinities(inputs)


def walk_labels(checkpoint):
    network = dict(type='PixelAffinity', data_preprocessor=dict(type='WeakSegDataPreProcessor'))
    walk = dict(
        type='RandomWalk', network=network, checkpoint=str(checkpoint), stride=1, log_steps=1
    )
    background = dict(type='ConstantBackground', threshold=0.5)
    return dict(walk=dict(background=background, refiners=[walk]))


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / 'affinity.pth'
    torch.save({'state_dict': {'weight': torch.full((1,), 2.0)}}, path)
    return path


@pytest.fixture
def make_labels(shapes_data, label_config, tmp_path):
    """Label the shapes' images with their filled boxes, refined by a random walk."""

    def run(checkpoint):
        labels = walk_labels(checkpoint)
        config = label_config(shapes_data, 'val', tmp_path / 'labels', labels)
        return run_stage(config, tmp_path / f'run{next(_runs)}', task='test')

    return run


def label_times(tmp_path):
    times = {p.name: p.stat().st_mtime_ns for p in (tmp_path / 'labels/walk').glob('*.png')}
    assert len(times) == 6
    return times


def test_a_missing_file_stops_the_loop_before_it_starts(make_labels, tmp_path):
    with pytest.raises(UserInputError, match=r'needs .*/none\.pth, which does not exist'):
        make_labels(tmp_path / 'none.pth')
    assert not (tmp_path / 'labels').exists()


def test_labels_are_made_again_for_another_file_and_not_for_one_that_moved(
    make_labels, checkpoint, tmp_path
):
    make_labels(checkpoint)
    times = label_times(tmp_path)
    moved = shutil.move(checkpoint, tmp_path / 'moved.pth')
    make_labels(moved)
    assert label_times(tmp_path) == times
    torch.save({'state_dict': {'weight': torch.full((1,), 0.5)}}, moved)
    make_labels(moved)
    again = label_times(tmp_path)
    assert all(again[name] != time for name, time in times.items())
