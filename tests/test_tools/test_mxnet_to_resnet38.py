import numpy as np
import pytest
import torch
from reference.mxnet_writer import LEGACY, V1, V2, params_bytes
from torch.testing import assert_close

from mmwsss.models.backbones import ResNet38
from mmwsss.structures import UserInputError

# What MXNet calls the layers of each block, in the order of the network.
BLOCKS = {
    2: ('a', 'b1', 'b2'),
    3: ('a', 'b1', 'b2'),
    4: ('a', 'b1', 'b2', 'b3', 'b4', 'b5'),
    5: ('a', 'b1', 'b2'),
    6: ('a',),
    7: ('a',),
}


@pytest.fixture(scope='module')
def converter(load_tool):
    return load_tool('model_converters/mxnet_to_resnet38.py')


def mxnet_names():
    """Every tensor of MXNet's network by name, with its required new name."""
    names = {'arg:conv1a_weight': 'conv1a.weight'}
    norms = {'bn7': 'bn7'}
    for stage, blocks in BLOCKS.items():
        for block in blocks:
            ours = f'b{stage}' if block == 'a' else f'b{stage}_{block[1:]}'
            bottleneck = stage > 5
            for branch in ('2a', '2b1', '2b2')[: 3 if bottleneck else 2]:
                names[f'arg:res{stage}{block}_branch{branch}_weight'] = (
                    f'{ours}.conv_branch{branch}.weight'
                )
                norms[f'bn{stage}{block}_branch{branch}'] = f'{ours}.bn_branch{branch}'
            if block == 'a':
                names[f'arg:res{stage}a_branch1_weight'] = f'{ours}.conv_branch1.weight'
    for theirs, ours in norms.items():
        names[f'arg:{theirs}_gamma'] = f'{ours}.weight'
        names[f'arg:{theirs}_beta'] = f'{ours}.bias'
        names[f'aux:{theirs}_moving_mean'] = f'{ours}.running_mean'
        names[f'aux:{theirs}_moving_var'] = f'{ours}.running_var'
    return names


@pytest.fixture
def source(narrow_backbones):
    """Arrays of a narrow network under MXNet's names."""
    expected = ResNet38().state_dict()
    generator = np.random.default_rng(0)
    arrays = {
        theirs: generator.normal(size=expected[ours].shape).astype(np.float32)
        for theirs, ours in mxnet_names().items()
    }
    arrays['arg:linear1000_weight'] = np.zeros((10, 12), np.float32)
    arrays['arg:linear1000_bias'] = np.zeros(10, np.float32)
    return arrays


@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        ('arg:conv1a_weight', 'conv1a.weight'),
        ('arg:res2a_branch1_weight', 'b2.conv_branch1.weight'),
        ('arg:res4b5_branch2b1_weight', 'b4_5.conv_branch2b1.weight'),
        ('arg:bn4b5_branch2b1_gamma', 'b4_5.bn_branch2b1.weight'),
        ('arg:bn6a_branch2b2_beta', 'b6.bn_branch2b2.bias'),
        ('aux:bn7_moving_mean', 'bn7.running_mean'),
        ('aux:bn2b2_branch2a_moving_var', 'b2_2.bn_branch2a.running_var'),
        ('arg:linear1000_weight', 'linear1000_weight'),
    ],
)
def test_names_of_mxnet_become_those_of_the_backbone(converter, theirs, ours):
    assert converter.canonical_name(theirs) == ours


@pytest.mark.parametrize('version', [LEGACY, V1, V2])
def test_written_checkpoint_initialises_the_backbone(converter, source, tmp_path, capsys, version):
    (tmp_path / 'net.params').write_bytes(params_bytes(source, version))
    target = tmp_path / 'new' / 'resnet38.pth'
    converter.main([str(tmp_path / 'net.params'), str(target)])
    printed = capsys.readouterr().out
    assert 'none missing' in printed
    assert 'Left out: arg:linear1000_bias, arg:linear1000_weight.' in printed
    assert [file.name for file in target.parent.iterdir()] == ['resnet38.pth']

    backbone = ResNet38(init_cfg=dict(type='Pretrained', checkpoint=str(target)))
    backbone.init_weights()
    state = backbone.state_dict()
    for theirs, ours in mxnet_names().items():
        assert_close(state[ours], torch.from_numpy(source[theirs]), rtol=0, atol=0)
    counters = {name for name in state if name.endswith('num_batches_tracked')}
    assert set(state) - counters == set(mxnet_names().values())


def test_half_precision_becomes_single_precision(converter, source):
    halves = {name: array.astype(np.float16) for name, array in source.items()}
    converted = converter.convert(halves)
    assert converted['conv1a.weight'].dtype == torch.float32


def test_missing_arrays_are_named(converter, source):
    del source['aux:bn7_moving_var']
    with pytest.raises(UserInputError, match=r'missing tensors: 1 of 191 \(bn7\.running_var'):
        converter.convert(source)


def test_arrays_of_another_shape_are_named(converter, source):
    source['arg:bn7_gamma'] = np.zeros(5, np.float32)
    with pytest.raises(UserInputError, match=r'bn7\.weight has shape \(5,\), expected \(12,\)'):
        converter.convert(source)
