from types import SimpleNamespace

import torch
from torch.testing import assert_close

from mmwsss.registry import HOOKS


def test_weights_become_channels_last_and_results_stay():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).eval()
    images = torch.randn(1, 3, 6, 6)
    expected = model(images)
    weight = model[0].weight
    HOOKS.build({'type': 'ChannelsLastHook'}).before_run(SimpleNamespace(model=model))
    assert weight is model[0].weight  # the optimizer holds this very object
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert model(images).is_contiguous(memory_format=torch.channels_last)
    assert_close(model(images), expected)


def test_loading_a_checkpoint_keeps_the_layout():
    model = torch.nn.Conv2d(3, 4, 3)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    HOOKS.build({'type': 'ChannelsLastHook'}).before_run(SimpleNamespace(model=model))
    model.load_state_dict(state)
    assert model.weight.is_contiguous(memory_format=torch.channels_last)
