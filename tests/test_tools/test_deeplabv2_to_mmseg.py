import pytest
import torch

from mmwsss.models.backbones import CeilPoolResNet
from mmwsss.structures import UserInputError


@pytest.fixture
def tool(load_tool):
    return load_tool('model_converters/deeplabv2_to_mmseg.py')


def published(name):
    """The published name of a tensor of the backbone, written the other way round."""
    parts = name.split('.')
    if len(parts) == 2:  # conv1.weight, bn1.bias
        return f'layer1.conv1.{parts[0][:-1]}.{parts[1]}'
    layer, block, *rest = parts
    place = f'layer{int(layer[-1]) + 1}.block{int(block) + 1}'
    if rest[0] == 'downsample':
        return f'{place}.shortcut.{["conv", "bn"][int(rest[1])]}.{rest[2]}'
    branch = ['reduce', 'conv3x3', 'increase'][int(rest[0][-1]) - 1]
    return f'{place}.{branch}.{rest[0][:-1]}.{rest[1]}'


@pytest.fixture
def backbone_state():
    """Every tensor is a single number, different for each, expanded to its shape."""
    with torch.device('meta'):
        state = CeilPoolResNet(depth=101).state_dict()
    return {
        name: torch.full((), i, dtype=tensor.dtype).expand(tensor.shape)
        for i, (name, tensor) in enumerate(state.items())
    }


@pytest.mark.parametrize('prefix', ['', 'base.', 'module.base.'])
def test_all_tensors_find_their_places_under_any_prefix(tool, backbone_state, prefix):
    source = {prefix + published(name): tensor for name, tensor in backbone_state.items()}
    source[f'{prefix}aspp.c0.weight'] = torch.zeros(21, 2048, 3, 3)
    converted = tool.convert(source)
    assert len(converted) == 624
    assert converted.keys() == backbone_state.keys()
    counters = {name for name in converted if name.endswith('num_batches_tracked')}
    for name in converted.keys() - counters:
        assert converted[name].flatten()[0] == backbone_state[name].flatten()[0], name


def test_names_of_the_published_network(tool):
    assert tool.backbone_name('layer1.conv1.bn.running_mean') == 'bn1.running_mean'
    assert tool.backbone_name('layer4.block23.conv3x3.conv.weight') == 'layer3.22.conv2.weight'
    assert tool.backbone_name('layer2.block1.shortcut.bn.bias') == 'layer1.0.downsample.1.bias'
    assert tool.backbone_name('aspp.c3.bias') is None


def test_another_network_is_refused(tool):
    with pytest.raises(UserInputError, match='not the published ResNet-101'):
        tool.convert({'conv1.weight': torch.zeros(1)})
