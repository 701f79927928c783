"""The network that walks must be the one that was trained, beyond its weights."""

import re

import pytest
import torch
from mmengine.config import Config

from mmwsss.pseudo_labels.refiners.trained_network import load_network, trained_settings
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

CONFIG = 'configs/demo/psa-affinity_resnet18_shapes-96x96.py'


@pytest.fixture
def trained(tmp_path):
    """Save a network with its config, as a training does; options change the latter."""

    def save(meta=None, **options):
        config = Config.fromfile(CONFIG)
        network = MODELS.build(config.model)
        config.merge_from_dict(options)
        meta = dict(cfg=config.pretty_text) if meta is None else meta
        path = tmp_path / 'affinity.pth'
        torch.save({'state_dict': network.state_dict(), 'meta': meta}, path)
        return str(path)

    return save


@pytest.fixture
def network():
    """Config of the network that walks."""
    return Config.fromfile(CONFIG).model


def test_the_network_of_the_training_is_loaded_for_evaluation(trained, network):
    loaded = load_network(network, trained())
    assert loaded.radius == 5
    assert not loaded.training


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
    checkpoint = trained(**{f'model.{key}': value})
    message = f'trained with {key}={value}, but the `network` of the walk has {key}={walks}'
    with pytest.raises(UserInputError, match=rf'affinity\.pth was {re.escape(message)}'):
        load_network(network, checkpoint)


def test_a_normalisation_that_only_one_of_both_has_is_refused(trained, network):
    del network['data_preprocessor']
    with pytest.raises(UserInputError, match=r'data_preprocessor\.\w+=.*of the walk has .*=None'):
        load_network(network, trained())


def test_equal_values_may_be_written_in_other_ways(trained, network):
    network.data_preprocessor.mean = (123.675, 116.28, 103.53)
    del network['radius']
    checkpoint = trained(**{'model.data_preprocessor.rgb_to_bgr': False})
    assert load_network(network, checkpoint).radius == 5


@pytest.mark.parametrize('meta', [{}, {'cfg': None}, {'cfg': 'a = 1'}, {'cfg': 'no (config'}])
def test_files_of_other_programs_are_taken_by_their_weights(trained, network, meta):
    assert load_network(network, trained(meta=meta))


@pytest.mark.parametrize(
    'text',
    ['model = __import__("os").getcwd()', 'model = dict(radius=open("x", "w"))', 'dict(radius=3)'],
)
def test_the_text_of_a_config_is_not_run(text):
    assert not trained_settings(text)


def test_the_config_of_a_checkpoint_is_read_whatever_else_it_holds():
    config = Config(
        dict(
            optim_wrapper=dict(paramwise_cfg=dict(custom_keys={'a.b': dict(lr_mult=2)})),
            model=dict(radius=4, data_preprocessor=dict(std=[2.0] * 3)),
        )
    )
    assert trained_settings(config.pretty_text) == {
        'radius': 4,
        'data_preprocessor.mean': None,
        'data_preprocessor.std': [2.0] * 3,
        'data_preprocessor.bgr_to_rgb': None,
        'data_preprocessor.rgb_to_bgr': None,
    }
