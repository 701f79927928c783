import pytest
import torch
from mmengine.runner import load_checkpoint
from torch.testing import assert_close

from mmwsss.models.backbones import ResNet38, VGG16DeepLab
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

NETWORKS = [ResNet38, VGG16DeepLab]
TAP_CHANNELS = {ResNet38: (5, 6, 12), VGG16DeepLab: (5, 6, 7)}
WIDTHS = (2, 4, 6)

pytestmark = pytest.mark.usefixtures('narrow_backbones')


@pytest.fixture(scope='module')
def converter(load_tool):
    return load_tool('model_converters/psa_checkpoint.py')


def backbone_state(backbone):
    torch.manual_seed(0)
    return {
        name: torch.randn(tensor.shape)
        for name, tensor in backbone().state_dict().items()
        if not name.endswith('num_batches_tracked')  # as old versions of PyTorch left them out
    }


def classifier_source(backbone):
    return {
        **backbone_state(backbone),
        'fc8.weight': torch.randn(3, TAP_CHANNELS[backbone][2], 1, 1),
    }


def affinity_source(backbone):
    state = backbone_state(backbone)
    for name, channels, width in zip('345', TAP_CHANNELS[backbone], WIDTHS, strict=True):
        state[f'f8_{name}.weight'] = torch.randn(width, channels, 1, 1)
        if backbone is VGG16DeepLab:
            state[f'gn8_{name}.weight'] = torch.randn(width)
            state[f'gn8_{name}.bias'] = torch.randn(width)
    state['f9.weight'] = torch.randn(12, 12, 1, 1)
    return state


def classifier(backbone):
    return MODELS.build(
        dict(
            type='CAMClassifier',
            backbone=dict(type=backbone.__name__),
            head=dict(
                type='CAMHead',
                in_channels=TAP_CHANNELS[backbone][2],
                num_classes=3,
                pooling=dict(type='GlobalAveragePooling'),
            ),
            objectives=[],
        )
    )


def affinity_network(backbone):
    vgg = backbone is VGG16DeepLab
    taps = dict(out_indices=(3, 4, 5) if vgg else (0, 1, 2))
    norms = dict(norm_groups=(1, 2, 3)) if vgg else {}
    return MODELS.build(
        dict(
            type='AffinityNetwork',
            backbone=dict(type=backbone.__name__, **taps),
            head=dict(
                type='AffinityHead', in_channels=TAP_CHANNELS[backbone], channels=WIDTHS, **norms
            ),
        )
    )


def convert_file(converter, source, folder):
    torch.save(source, folder / 'source.pth')
    converter.main([str(folder / 'source.pth'), str(folder / 'target.pth')])
    return str(folder / 'target.pth')


@pytest.mark.parametrize('backbone', NETWORKS)
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_a_classifier_is_loaded_completely(converter, tmp_path, capsys, backbone, prefix):
    source = classifier_source(backbone)
    prefixed = {prefix + name: tensor for name, tensor in source.items()}
    target = convert_file(converter, prefixed, tmp_path)
    assert f'CAMClassifier on {backbone.__name__}, none missing' in capsys.readouterr().out
    model = classifier(backbone)
    load_checkpoint(model, target, strict=True)
    assert_close(model.head.classifier.weight.detach(), source.pop('fc8.weight'))
    state = model.backbone.state_dict()
    assert_close({name: state[name] for name in source}, source)


@pytest.mark.parametrize('backbone', NETWORKS)
def test_an_affinity_network_is_loaded_completely(converter, tmp_path, capsys, backbone):
    source = affinity_source(backbone)
    target = convert_file(converter, source, tmp_path)
    assert f'AffinityNetwork on {backbone.__name__}, none missing' in capsys.readouterr().out
    model = affinity_network(backbone)
    load_checkpoint(model, target, strict=True)
    assert_close(model.head.fusion.weight.detach(), source['f9.weight'])
    for name, branch in zip('345', model.head.branches, strict=True):
        assert_close(branch.conv.weight.detach(), source[f'f8_{name}.weight'])
        if backbone is VGG16DeepLab:
            assert_close(branch.norm.weight.detach(), source[f'gn8_{name}.weight'])
            assert_close(branch.norm.bias.detach(), source[f'gn8_{name}.bias'])


@pytest.mark.parametrize('backbone', NETWORKS)
def test_a_backbone_alone_is_a_checkpoint_for_pretrained(converter, tmp_path, backbone):
    source = backbone_state(backbone)
    target = convert_file(converter, source, tmp_path)
    model = backbone(init_cfg=dict(type='Pretrained', checkpoint=target))
    model.init_weights()
    state = model.state_dict()
    assert_close({name: state[name] for name in source}, source)


def test_linear_layers_become_convolutions(converter):
    source = classifier_source(VGG16DeepLab)
    linear = {
        name: tensor.flatten(1) if name.startswith('fc') and tensor.dim() > 1 else tensor
        for name, tensor in source.items()
    }
    state = converter.convert(linear).state_dict
    assert_close(state['backbone.fc6.weight'], source['fc6.weight'])
    assert_close(state['head.classifier.weight'], source['fc8.weight'])


def test_what_has_no_place_is_listed(converter, tmp_path, capsys):
    source = {**affinity_source(ResNet38), 'fc8.weight': torch.zeros(3, 12), 'x': torch.zeros(1)}
    convert_file(converter, source, tmp_path)
    assert 'Left out: fc8.weight, x.' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('backbone', 'lost', 'named'),
    [
        (ResNet38, 'b4_3.conv_branch2a.weight', 'b4_3.conv_branch2a.weight'),
        (ResNet38, 'f9.weight', 'head.fusion.weight'),
        (ResNet38, 'f8_4.weight', 'head.branches.1.conv.weight'),
        (VGG16DeepLab, 'gn8_5.bias', 'head.branches.2.norm.bias'),
    ],
)
def test_missing_tensors_are_named(converter, backbone, lost, named):
    source = affinity_source(backbone)
    del source[lost]
    with pytest.raises(UserInputError, match=f'missing tensors: .*{named}'):
        converter.convert(source)


@pytest.mark.parametrize(
    ('source_of', 'name'),
    [
        (classifier_source, 'fc8.weight'),
        (affinity_source, 'f8_5.weight'),
        (affinity_source, 'f9.weight'),
    ],
)
def test_tensors_of_another_shape_are_named(converter, source_of, name):
    source = source_of(ResNet38)
    source[name] = torch.zeros(12, 99, 1, 1)
    with pytest.raises(UserInputError, match=r'has shape \(.*\), expected'):
        converter.convert(source)


def test_another_network_is_refused(converter):
    with pytest.raises(UserInputError, match=r'neither conv1a\.weight nor conv1_1\.weight'):
        converter.convert({'stem.weight': torch.zeros(1)})


def test_a_checkpoint_with_anything_else_is_refused(converter, tmp_path):
    torch.save({'state_dict': {'conv1a.weight': 'text'}}, tmp_path / 'source.pth')
    with pytest.raises(UserInputError, match='does not hold a state dict'):
        converter.main([str(tmp_path / 'source.pth'), str(tmp_path / 'target.pth')])
    assert not (tmp_path / 'target.pth').exists()
