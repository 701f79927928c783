import pytest
import torch
import torchvision.models as torchvision_models

from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError


@pytest.fixture
def tool(load_tool):
    return load_tool('model_converters/torchvision_weights.py')


@pytest.fixture
def state():
    torch.manual_seed(0)
    return torchvision_models.mobilenet_v2(weights=None).state_dict()


def check(target, state):
    init_cfg = {'type': 'Pretrained', 'checkpoint': str(target)}
    backbone = MODELS.build({'type': 'DilatedMobileNetV2', 'init_cfg': init_cfg})
    backbone.init_weights()
    assert (backbone.conv1.conv.weight == state['features.0.0.weight']).all()


def test_a_file_at_hand_is_converted(tool, state, tmp_path, capsys):
    torch.save(state, tmp_path / 'source.pth')
    target = tmp_path / 'mobilenet_v2.pth'
    tool.main(['mobilenet_v2', str(target), '--source', str(tmp_path / 'source.pth')])
    assert '306 tensors' in capsys.readouterr().out
    assert 'RGB' in torch.load(target, weights_only=True)['meta']['input']
    check(target, state)


def test_without_a_file_torchvision_downloads_one(tool, state, tmp_path, monkeypatch):
    monkeypatch.setattr(
        'torchvision.models._api.load_state_dict_from_url', lambda *_, **options: state
    )
    tool.main(['mobilenet_v2', str(tmp_path / 'a.pth')])
    check(tmp_path / 'a.pth', state)


def test_a_failed_download_is_one_line(tool, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError('no route to host')

    monkeypatch.setattr('torchvision.models._api.load_state_dict_from_url', fail)
    with pytest.raises(UserInputError, match='--source'):
        tool.main(['vgg16', str(tmp_path / 'a.pth')])
