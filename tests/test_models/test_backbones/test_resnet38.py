import json
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from mmwsss.models.backbones import ResNet38, resnet38
from mmwsss.registry import MODELS


def closed_form_weights(names, shapes, phase):
    """Waves sin(0.01 (i mod 9973)^2 + j + phase) for tensor j, element i, scaled by its kind."""
    squares = np.arange(9973, dtype=np.int64) ** 2
    state = {}
    for j, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        wave = np.resize(np.sin(0.01 * squares + (j + phase)), math.prod(shape))
        if len(shape) > 1:
            wave = math.sqrt(2 / math.prod(shape[1:])) * wave
        elif name.endswith('running_var'):
            wave = 1 + 0.5 * wave
        elif name.endswith('weight'):
            wave = 1 + 0.2 * wave
        else:
            wave = 0.1 * wave
        state[name] = torch.from_numpy(wave.astype(np.float32).reshape(shape))
    return state


def test_features_equal_the_oracle(oracle):
    arrays = oracle('resnet38')
    names = arrays['param_names'].tolist()
    shapes = [json.loads(shape) for shape in arrays['param_shapes']]
    model = ResNet38(out_indices=(0, 1, 2)).eval()
    kept = [name for name in model.state_dict() if not name.endswith('num_batches_tracked')]
    assert kept == names
    state = closed_form_weights(names, shapes, arrays['phase'])
    heads = [value.flatten()[:4].numpy() for value in state.values()]
    np.testing.assert_allclose(heads, arrays['weight_head'], rtol=1e-6)
    model.load_state_dict(state)

    with torch.no_grad():
        feats = model(torch.from_numpy(arrays['input']))
    for prefix, feat in zip(('conv4_', 'conv5_', 'conv6_'), feats, strict=True):
        expected = {
            key.removeprefix(prefix): torch.from_numpy(np.asarray(value))
            for key, value in arrays.items()
            if key.startswith(prefix)
        }
        assert list(feat.shape) == expected['shape'].tolist()
        samples = feat.flatten()[expected['sample_index']]
        assert_close(samples, expected['samples'], rtol=0, atol=1e-4)
        assert_close(feat.mean(dim=(0, 2, 3)), expected['channel_mean'], rtol=0, atol=2e-5)
        assert_close(feat.mean(dim=(0, 1)), expected['spatial_mean'], rtol=0, atol=2e-5)
        total = feat.double()
        assert_close(total.sum(), expected['sum'], rtol=2e-6, atol=0)
        assert_close(total.abs().sum(), expected['abs_sum'], rtol=2e-6, atol=0)


@pytest.fixture
def without_memory():
    """Build and run with shapes only."""
    with torch.device('meta'):
        yield


@pytest.mark.usefixtures('without_memory')
@pytest.mark.parametrize('size', [1, 8, 9, 448])
def test_three_blocks_halve_the_size_and_round_up(size):
    feats = ResNet38(out_indices=(0, 1, 2))(torch.zeros(2, 3, size, size))
    cells = math.ceil(size / 8)
    assert [feat.shape for feat in feats] == [(2, c, cells, cells) for c in (512, 1024, 4096)]


@pytest.mark.usefixtures('without_memory')
def test_features_come_in_ascending_order_of_their_index():
    feats = ResNet38(out_indices=(2, 0))(torch.zeros(1, 3, 8, 8))
    assert [feat.shape[1] for feat in feats] == [512, 4096]


@pytest.mark.usefixtures('without_memory')
def test_with_a_classifier_of_20_classes_it_has_105_million_parameters():
    count = sum(parameter.numel() for parameter in ResNet38().parameters())
    assert round((count + 20 * 4096) / 1e6, 2) == 105.15


def trained_parts(model):
    """Name the blocks (or layers outside blocks) with a trained parameter not in a norm."""
    return {
        name.split('.')[0]
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.dim() > 1
    }


def trained_norms(model):
    return {
        name.split('.')[0]
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.dim() == 1
    }


BLOCKS = [
    *('b2', 'b2_1', 'b2_2', 'b3', 'b3_1', 'b3_2', 'b4', 'b4_1', 'b4_2', 'b4_3', 'b4_4', 'b4_5'),
    *('b5', 'b5_1', 'b5_2', 'b6', 'b7'),
]


@pytest.mark.usefixtures('without_memory')
def test_by_default_the_stem_the_second_stage_and_all_norms_are_frozen():
    model = ResNet38()
    assert trained_parts(model) == set(BLOCKS[3:])
    assert trained_norms(model) == set()


@pytest.mark.usefixtures('without_memory')
@pytest.mark.parametrize(
    ('stages', 'trained'),
    [
        (-1, ['conv1a', *BLOCKS]),
        (0, ['conv1a', *BLOCKS]),
        (1, BLOCKS),
        (3, BLOCKS[6:]),
        (6, ['b7']),
        (7, []),
    ],
)
def test_frozen_stages_count_from_the_stem(stages, trained):
    model = ResNet38(frozen_stages=stages)
    assert trained_parts(model) == set(trained)


@pytest.mark.usefixtures('without_memory')
def test_what_is_frozen_stays_in_evaluation_mode():
    model = ResNet38().train()
    training = {type(module) for module in model.modules() if module.training}
    assert nn.BatchNorm2d not in training
    assert nn.Dropout2d in training
    assert not model.b2_1.training


@pytest.mark.usefixtures('without_memory')
def test_changing_the_mode_returns_the_model():
    model = ResNet38()
    assert model.train() is model
    assert model.eval() is model


@pytest.fixture
def narrow(monkeypatch):
    """The same network with few channels and blocks."""
    monkeypatch.setattr(
        resnet38,
        '_STAGES',
        {2: (2, 4, 4, 2, 1, 1), 3: (1, 4, 6, 2, 1, 1), 5: (2, 6, 8, 1, 1, 2)},
    )
    monkeypatch.setattr(resnet38, '_BOTTLENECKS', {6: (8, 4), 7: (16, 4)})
    monkeypatch.setattr(resnet38, '_STEM_CHANNELS', 4)


def gradients(model, images):
    torch.manual_seed(0)
    feats = model.train()(images)
    sum(feat.square().sum() for feat in feats).backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.usefixtures('narrow')
def test_checkpointing_gives_the_same_gradients(rng, monkeypatch):
    calls = []
    monkeypatch.setattr(
        resnet38, 'checkpoint', lambda *args, **kw: calls.append(1) or checkpoint(*args, **kw)
    )
    plain = ResNet38(out_indices=(0, 1, 2))
    frugal = ResNet38(out_indices=(0, 1, 2), with_cp=True)
    frugal.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 17, 20, generator=rng)
    expected = gradients(plain, images)
    assert len(expected) == len([p for p in plain.parameters() if p.requires_grad])
    assert_close(gradients(frugal, images), expected)
    assert len(calls) == 7


@pytest.mark.usefixtures('narrow')
def test_dropout_acts_in_training_only_and_can_be_switched_off(rng):
    images = torch.randn(1, 3, 16, 16, generator=rng)
    model = ResNet38(dropout=(0.5, 0.5))
    assert not torch.equal(model.train()(images)[0], model(images)[0])
    assert torch.equal(model.eval()(images)[0], model(images)[0])
    model = ResNet38(dropout=(0.0, 0.0))
    assert torch.equal(model.train()(images)[0], model.eval()(images)[0])


@pytest.mark.usefixtures('narrow')
def test_block_adds_the_activated_input_where_the_shape_changes():
    block = ResNet38().eval().b3
    with torch.no_grad():
        block.conv_branch2b1.weight.zero_()
        x = torch.tensor([-1.0, 2.0, -3.0, 4.0]).view(1, 4, 1, 1)
        out, activated = block(x)
    assert_close(activated.flatten(), torch.tensor([0.0, 2.0, 0.0, 4.0]), rtol=1e-4, atol=0)
    assert_close(out, block.conv_branch1(activated))


@pytest.mark.usefixtures('narrow')
def test_block_adds_its_input_where_the_shape_stays():
    block = ResNet38().eval().b2_1
    with torch.no_grad():
        block.conv_branch2b1.weight.zero_()
        x = torch.tensor([-1.0, 2.0, -3.0, 4.0]).view(1, 4, 1, 1)
        out, _ = block(x)
    assert_close(out, x)


@pytest.mark.usefixtures('narrow')
def test_pretrained_checkpoint_is_loaded(tmp_path):
    source = ResNet38()
    torch.save({'state_dict': source.state_dict()}, tmp_path / 'resnet38.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'resnet38.pth'))
    model = MODELS.build(dict(type='ResNet38', init_cfg=init_cfg))
    model.init_weights()
    assert_close(model.state_dict(), source.state_dict())


@pytest.mark.parametrize(
    'options',
    [{'out_indices': ()}, {'out_indices': (3,)}, {'frozen_stages': 8}, {'frozen_stages': -2}],
)
def test_option_out_of_range_is_refused(options):
    with pytest.raises(ValueError, match='must be'):
        ResNet38(**options)
