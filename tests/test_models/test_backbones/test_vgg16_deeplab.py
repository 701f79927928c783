import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close
from torchvision.models import vgg

from mmwsss.models.backbones import VGG16DeepLab
from mmwsss.registry import MODELS


def load_closed_form_weights(model, names, shapes, phase):
    """value_i = a sin(0.01 (i mod 9973)^2 + j + phase) for parameter j, element i."""
    state = {}
    for j, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        k = np.arange(math.prod(shape), dtype=np.int64) % 9973
        scale = 2 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.1
        value = scale * np.sin(0.01 * (k * k) + (j + phase))
        state[name] = torch.from_numpy(value.astype(np.float32).reshape(shape))
    model.load_state_dict(state)


@pytest.mark.parametrize('dilation', [1, 12])
def test_features_equal_the_oracle(oracle, dilation):
    arrays = oracle('bana_vgg16')
    model = VGG16DeepLab(fc6_dilation=dilation, out_indices=range(6)).eval()
    shapes = [json.loads(shape) for shape in arrays['param_shapes']]
    load_closed_form_weights(model, arrays['param_names'].tolist(), shapes, arrays['phase'])
    heads = [p.flatten()[:4].numpy() for p in model.state_dict().values()]
    np.testing.assert_allclose(heads, arrays['weight_head'], rtol=1e-6)

    with torch.no_grad():
        *blocks, feats = model(torch.from_numpy(arrays['input']))
    before_pooling = [i for i, n in enumerate(arrays['stage_names']) if n.startswith('mp')]
    expected = [arrays['stage_shapes'][i - 1].tolist() for i in before_pooling]
    assert [list(block.shape) for block in blocks] == expected
    prefix = f'd{dilation}_'
    assert list(feats.shape) == arrays[prefix + 'shape'].tolist()
    samples = feats.flatten()[torch.from_numpy(arrays[prefix + 'sample_index'])]
    for actual, key in (
        (samples, 'samples'),
        (feats.mean(dim=(0, 2, 3)), 'channel_mean'),
        (feats.mean(dim=(0, 1)), 'spatial_mean'),
    ):
        assert_close(actual, torch.from_numpy(arrays[prefix + key]), rtol=0, atol=2e-5)
    assert_close(feats.double().sum().item(), arrays[prefix + 'sum'].item(), rtol=1e-6, atol=0)


@pytest.mark.parametrize('size', [1, 33, 40])
def test_each_strided_pooling_halves_the_size_and_rounds_up(size):
    model = VGG16DeepLab().eval()
    with torch.no_grad():
        (feats,) = model(torch.zeros(1, 3, size, size))
    expected = size
    for _ in range(3):
        expected = (expected - 1) // 2 + 1
    assert feats.shape == (1, 1024, expected, expected)


def test_dropout_drops_whole_channels_in_training_only():
    model = VGG16DeepLab()
    with torch.no_grad():
        model.fc7.bias.fill_(1.0)
        model.fc7.weight.zero_()
        images = torch.zeros(1, 3, 9, 9)
        (trained,) = model.train()(images)
        (evaluated,) = model.eval()(images)
    assert set(trained.unique().tolist()) == {0.0, 2.0}
    assert trained[0, :, 0, 0].eq(trained[0, :, 1, 1]).all()
    assert evaluated.eq(1.0).all()


def test_pretrained_checkpoint_is_loaded(tmp_path):
    source = VGG16DeepLab()
    torch.save({'state_dict': source.state_dict()}, tmp_path / 'vgg16.pth')
    init_cfg = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'vgg16.pth')}
    model = MODELS.build({'type': 'VGG16DeepLab', 'init_cfg': init_cfg})
    model.init_weights()
    assert_close(model.state_dict(), source.state_dict())


@pytest.mark.parametrize(
    'options',
    [
        {'out_indices': ()},
        {'out_indices': (6,)},
        {'fc6_dilation': 0},
        {'frozen_stages': 6},
        {'pool_size': 4},
    ],
)
def test_option_out_of_range_is_refused(options):
    with pytest.raises(ValueError, match='must be'):
        VGG16DeepLab(**options)


def test_without_pool5_the_last_block_leads_to_fc6_directly(rng):
    model = VGG16DeepLab(out_indices=(4, 5), pool5=False, fc6_dilation=4).eval()
    with torch.no_grad():
        conv5, feats = model(torch.rand(1, 3, 33, 41, generator=rng))
        expected = model.fc7(model.fc6(conv5).relu()).relu()
    assert conv5.shape == (1, 512, 5, 6)
    assert_close(feats, expected)


def test_without_pool5_the_fourth_block_is_still_pooled(rng):
    model = VGG16DeepLab(out_indices=(3, 4), pool5=False).eval()
    with torch.no_grad():
        conv4, conv5 = model(torch.rand(1, 3, 17, 17, generator=rng))
        x = F.max_pool2d(conv4, 3, stride=1, padding=1)
        for conv in (model.conv5_1, model.conv5_2, model.conv5_3):
            x = conv(x).relu()
    assert_close(conv5, x)


def test_with_poolings_of_2x2_it_is_the_network_of_torchvision(rng):
    ours = VGG16DeepLab(out_indices=(0, 1, 2, 3, 4), pool_size=2, pool5=False).eval()
    theirs = vgg.make_layers(vgg.cfgs['D'], batch_norm=False)
    convs = (layer for layer in theirs if isinstance(layer, nn.Conv2d))
    for conv in ours.children():
        conv.load_state_dict(next(convs).state_dict())
    images = torch.rand(1, 3, 21, 26, generator=rng)
    with torch.no_grad():
        # conv1_2, conv2_2, conv3_3 and conv4_3 with their ReLU; dilation begins after them.
        expected = [theirs[:end](images) for end in (4, 9, 16, 23)]
        assert_close(list(ours(images)[:4]), expected)


def test_without_fc7_among_the_outputs_there_are_no_fc_layers():
    names = dict(VGG16DeepLab(out_indices=(4,), pool5=False).named_parameters())
    assert not [name for name in names if name.startswith('fc')]
    assert 'conv5_3.weight' in names


@pytest.mark.parametrize(
    ('stages', 'frozen'),
    [(-1, []), (0, []), (2, ['conv1_1', 'conv1_2', 'conv2_1', 'conv2_2'])],
)
def test_weights_and_biases_of_frozen_blocks_are_not_trained(stages, frozen):
    with torch.device('meta'):
        model = VGG16DeepLab(frozen_stages=stages)
    names = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert names == [f'{layer}.{kind}' for layer in frozen for kind in ('weight', 'bias')]


def test_dropout_after_fc7_can_be_left_to_the_head():
    model = VGG16DeepLab(dropout=(0.5, 0.0)).train()
    with torch.no_grad():
        model.fc7.weight.zero_()
        model.fc7.bias.fill_(1.0)
        (feats,) = model(torch.zeros(1, 3, 9, 9))
    assert feats.eq(1.0).all()


def test_with_a_classifier_of_20_classes_it_has_20_and_a_half_million_parameters():
    with torch.device('meta'):
        model = VGG16DeepLab()
    count = sum(parameter.numel() for parameter in model.parameters())
    assert round((count + 20 * 1024) / 1e6, 2) == 20.50
