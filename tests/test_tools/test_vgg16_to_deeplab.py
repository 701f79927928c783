import importlib.util
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmwsss.apis import vgg16_weights
from mmwsss.models.backbones import VGG16DeepLab
from mmwsss.structures import UserInputError

_PATH = Path(__file__).parents[2] / 'tools' / 'model_converters' / 'vgg16_to_deeplab.py'
_SPEC = importlib.util.spec_from_file_location('vgg16_to_deeplab', _PATH)
converter = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(converter)


def caffe_state():
    torch.manual_seed(0)
    return {name: torch.randn_like(p) for name, p in VGG16DeepLab().state_dict().items()}


@pytest.fixture(scope='module')
def source():
    return caffe_state()


@pytest.fixture
def torchvision_source(source):
    """Torchvision's names and shapes; the large tensors are views of small ones."""
    names = {ours: theirs for theirs, ours in vgg16_weights.TORCHVISION_NAMES.items()}
    state = {}
    for name, value in source.items():
        module, kind = name.split('.')
        state[f'{names[module]}.{kind}'] = value
    state['classifier.0.weight'] = torch.arange(25088.0).expand(4096, -1)
    state['classifier.0.bias'] = torch.arange(4096.0)
    state['classifier.3.weight'] = torch.arange(4096.0)[:, None].expand(-1, 4096)
    state['classifier.3.bias'] = torch.arange(4096.0)
    state['classifier.6.weight'] = torch.zeros(1).expand(1000, 4096)
    state['classifier.6.bias'] = torch.zeros(1000)
    return state


@pytest.mark.parametrize('prefix', ['', 'module.', 'backbone.'])
def test_deeplab_weights_keep_their_values_under_any_prefix(source, prefix):
    converted = converter.convert({prefix + name: value for name, value in source.items()})
    assert_close(converted, source)


def test_torchvision_fully_connected_layers_are_thinned_out(torchvision_source):
    converted = converter.convert(torchvision_source)
    assert converted['fc6.bias'].tolist() == list(range(0, 4096, 4))
    assert converted['fc7.weight'][:, 0, 0, 0].tolist() == list(range(0, 4096, 4))
    # Input channel 2 of 7x7 positions starts at 98; rows 0, 3, 6 and columns 0, 3, 6 are kept.
    expected = [[98 + 7 * row + column for column in (0, 3, 6)] for row in (0, 3, 6)]
    assert converted['fc6.weight'][5, 2].tolist() == expected


def test_normalisation_of_torchvision_is_folded_into_the_first_layer(source, torchvision_source):
    converted = converter.convert(torchvision_source)
    rgb = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 255
    mean, std = (
        torch.tensor(v).view(1, 3, 1, 1)
        for v in (vgg16_weights.TORCHVISION_MEAN_RGB, vgg16_weights.TORCHVISION_STD_RGB)
    )
    expected = F.conv2d((rgb / 255 - mean) / std, source['conv1_1.weight'], source['conv1_1.bias'])
    bgr = (rgb - torch.tensor(vgg16_weights.CAFFE_MEAN_RGB).view(1, 3, 1, 1)).flip(1)
    actual = F.conv2d(bgr, converted['conv1_1.weight'], converted['conv1_1.bias'])
    assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_caffe_weights_under_torchvision_names_are_not_rescaled(source, torchvision_source):
    converted = converter.convert(torchvision_source, keep_input=True)
    assert_close(converted['conv1_1.weight'], source['conv1_1.weight'])


def test_converting_does_not_change_the_source(torchvision_source):
    before = torchvision_source['features.0.bias'].clone()
    converter.convert(torchvision_source)
    assert_close(torchvision_source['features.0.bias'], before)


def test_written_checkpoint_initialises_the_backbone(tmp_path, torchvision_source, capsys):
    torch.save(torchvision_source, tmp_path / 'source.pth')
    target = tmp_path / 'new' / 'target.pth'
    converter.main([str(tmp_path / 'source.pth'), str(target)])
    printed = capsys.readouterr().out
    assert 'none missing' in printed
    assert 'Left out: classifier.6.bias, classifier.6.weight' in printed
    assert [file.name for file in target.parent.iterdir()] == ['target.pth']
    init_cfg = {'type': 'Pretrained', 'checkpoint': str(target)}
    backbone = VGG16DeepLab(init_cfg=init_cfg)
    backbone.init_weights()
    assert_close(backbone.fc6.bias.detach(), torch.arange(0.0, 4096.0, 4))


def test_missing_tensors_are_named(source):
    incomplete = {name: value for name, value in source.items() if not name.startswith('fc7')}
    with pytest.raises(UserInputError, match=r'missing tensors: 2 of 30, e\.g\. fc7\.weight'):
        converter.convert(incomplete)


def test_batch_normalised_vgg_is_refused(torchvision_source):
    torchvision_source['features.2.weight'] = torch.zeros(64)
    with pytest.raises(UserInputError, match=r'conv1_2\.weight has shape'):
        converter.convert(torchvision_source)


def test_file_of_another_network_is_refused():
    with pytest.raises(UserInputError, match='neither conv1_1'):
        converter.convert({'stem.weight': torch.zeros(1)})


def test_missing_file_is_explained(tmp_path):
    with pytest.raises(UserInputError, match='does not exist'):
        converter.load_state_dict(tmp_path / 'none.pth')


def test_file_that_is_no_checkpoint_is_explained(tmp_path):
    (tmp_path / 'text.pth').write_text('404: not found')
    with pytest.raises(UserInputError, match='not a file of plain tensors'):
        converter.load_state_dict(tmp_path / 'text.pth')


class _Harmful:
    def __reduce__(self):
        return (Path.touch, (Path('harmful'),))


def test_code_in_a_file_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(_Harmful(), 'source.pth')
    with pytest.raises(UserInputError, match='not a file of plain tensors'):
        converter.load_state_dict(Path('source.pth'))
    assert not Path('harmful').exists()


def test_checkpoint_without_state_dict_is_explained(tmp_path):
    torch.save([torch.zeros(1)], tmp_path / 'list.pth')
    with pytest.raises(UserInputError, match='not hold a state dict'):
        converter.load_state_dict(tmp_path / 'list.pth')
