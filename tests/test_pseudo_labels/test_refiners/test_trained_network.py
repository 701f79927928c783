"""The network of a walk must match the trained one in more than its weights."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmwsss.engine.pipeline.runner import StageRunner
from mmwsss.pseudo_labels.refiners.trained_network import load_network
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

CONFIG = 'configs/demo/psa-affinity_resnet18_shapes-96x96.py'


def save(runner, out_dir, filename, *, meta):
    """Save what mmengine's runner saves, without the training state."""
    torch.save({'state_dict': runner.model.state_dict(), 'meta': meta}, Path(out_dir, filename))


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Save a network as a training does, after changing its config by options."""
    monkeypatch.setattr(Runner, 'save_checkpoint', save)

    def train(options=(), **meta):
        config = Config.fromfile(CONFIG)
        config.merge_from_dict(dict(options))
        runner = object.__new__(StageRunner)  # without data
        runner.model = MODELS.build(config.model)
        runner.save_checkpoint(str(tmp_path), 'affinity.pth', meta=meta)
        return str(tmp_path / 'affinity.pth')

    return train


@pytest.fixture
def network():
    """Config of the walk's network."""
    return Config.fromfile(CONFIG).model


@pytest.fixture
def told(monkeypatch):
    """What was logged about the checkpoint."""
    lines = []
    monkeypatch.setattr(
        'mmwsss.pseudo_labels.refiners.trained_network.print_log',
        lambda line, **_: lines.append(line),
    )
    return lines


def test_the_network_of_the_training_is_loaded_for_evaluation(trained, network):
    loaded = load_network(network, trained(), user='RandomWalk')
    assert loaded.radius == 5
    assert not loaded.training


def test_a_checkpoint_keeps_the_settings_as_plain_data_beside_other_meta(trained):
    meta = torch.load(trained(epoch=3), weights_only=True)['meta']
    assert meta == {
        'epoch': 3,
        'stage': None,
        'trained_with': {
            'radius': 5,
            'data_preprocessor.mean': [123.675, 116.28, 103.53],
            'data_preprocessor.std': [58.395, 57.12, 57.375],
            'data_preprocessor.bgr_to_rgb': True,
        },
    }


@pytest.mark.parametrize(
    ('key', 'value', 'walks'),
    [
        ('radius', 3, 5),
        ('data_preprocessor.mean', [1.0, 2.0, 3.0], [123.675, 116.28, 103.53]),
        ('data_preprocessor.std', [1.0, 2.0, 3.0], [58.395, 57.12, 57.375]),
        ('data_preprocessor.bgr_to_rgb', False, True),
    ],
)
def test_settings_that_the_weights_do_not_tell_are_compared(trained, network, key, value, walks):
    checkpoint = trained({f'model.{key}': value})
    message = f'trained with {key}={value}, but the `network` of the walk has {key}={walks}'
    with pytest.raises(UserInputError, match=rf'affinity\.pth was {re.escape(message)}'):
        load_network(network, checkpoint, user='RandomWalk')


def test_a_normalisation_that_only_one_of_both_has_is_refused(trained, network):
    del network['data_preprocessor']
    with pytest.raises(UserInputError, match=r'data_preprocessor\.mean=.*of the walk has .*=None'):
        load_network(network, trained(), user='RandomWalk')


def test_equal_values_may_be_written_in_other_ways(trained, network):
    network.data_preprocessor.mean = (123.675, 116.28, 103.53)
    network.pop('radius', None)
    assert load_network(network, trained(), user='RandomWalk').radius == 5


def test_a_radius_that_is_left_out_is_that_of_the_class(trained, network):
    network.pop('radius', None)
    with pytest.raises(UserInputError, match=r'radius=4, but .* has radius=5'):
        load_network(network, trained({'model.radius': 4}), user='RandomWalk')


@pytest.mark.parametrize('meta', [None, {}, {'trained_with': None}, {'trained_with': {'x': 1}}])
def test_files_of_other_programs_are_taken_by_their_weights(trained, network, meta, told):
    checkpoint = trained({'model.radius': 4})
    state = torch.load(checkpoint)['state_dict']
    torch.save({'state_dict': state, 'meta': meta}, checkpoint)
    assert load_network(network, checkpoint, user='RandomWalk')
    (line,) = told
    assert re.search(
        r'affinity\.pth does not state the radius, data_preprocessor\.mean, .* cannot be compared',
        line,
    )


def test_what_was_compared_is_not_told(trained, network, told):
    load_network(network, trained(), user='RandomWalk')
    assert not told
