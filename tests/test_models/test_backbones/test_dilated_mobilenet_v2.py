import os
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from mmwsss.registry import MODELS

STRIDE_32 = {'strides': (1, 2, 2, 2, 1, 2, 1), 'dilations': (1, 1, 1, 1, 1, 1, 1)}
STRIDE_16 = {'strides': (1, 2, 2, 2, 1, 1, 1), 'dilations': (1, 1, 1, 1, 1, 2, 2)}
STRIDE_8 = {'strides': (1, 2, 2, 1, 1, 1, 1), 'dilations': (1, 1, 1, 2, 2, 4, 4)}


def build(**options):
    return MODELS.build({'type': 'DilatedMobileNetV2', 'out_indices': (6,), **options}).eval()


@pytest.fixture(scope='module')
def strided_state():
    torch.manual_seed(0)
    state = build(widen_factor=0.25, **STRIDE_32).state_dict()
    for name, value in state.items():
        if name.endswith(('running_mean', 'bn.bias')):  # otherwise all positions are alike
            value.copy_(torch.randn_like(value) / 4)
    return state


@pytest.mark.parametrize(('settings', 'step'), [(STRIDE_16, 2), (STRIDE_8, 4)])
@pytest.mark.parametrize('conv', ['Conv2d', 'Conv2dAdaptivePadding'])
def test_dilated_features_contain_the_strided_ones(strided_state, settings, step, conv):
    options = {'widen_factor': 0.25, 'conv_cfg': {'type': conv}}
    strided, dilated = build(**options, **STRIDE_32), build(**options, **settings)
    strided.load_state_dict(strided_state)
    dilated.load_state_dict(strided_state)
    images = torch.randn(1, 3, 161, 129, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        (expected,), (feats,) = strided(images), dilated(images)
    assert expected.std() > 0
    assert_close(feats[:, :, ::step, ::step], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.skipif('MMWSSS_WEIGHTS' not in os.environ, reason='needs MMWSSS_WEIGHTS')
def test_pretrained_features_survive_dilation():
    weights = Path(os.environ['MMWSSS_WEIGHTS']) / 'mobilenet_v2_in1k.pth'
    options = {
        'norm_cfg': {'type': 'BN', 'eps': 1e-3},
        'conv_cfg': {'type': 'Conv2dAdaptivePadding'},
        'init_cfg': {'type': 'Pretrained', 'checkpoint': str(weights)},
    }
    strided, dilated = build(**options, **STRIDE_32), build(**options, **STRIDE_16)
    strided.init_weights()
    dilated.init_weights()
    images = torch.randn(1, 3, 161, 161, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        (expected,), (feats,) = strided(images), dilated(images)
    cosine = torch.cosine_similarity(feats[:, :, ::2, ::2], expected, dim=1)
    assert cosine.min() > 0.999


def test_without_dilation_it_is_mmsegs_network(strided_state):
    ours = build(widen_factor=0.25, **STRIDE_32)
    theirs = MODELS.build(
        {'type': 'mmseg.MobileNetV2', 'widen_factor': 0.25, 'out_indices': (2, 6), **STRIDE_32}
    )
    theirs.eval()
    ours.load_state_dict(strided_state)
    theirs.load_state_dict(strided_state)
    images = torch.randn(1, 3, 65, 65, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert_close(ours(images)[-1], theirs(images)[-1])


def test_one_output_is_a_tuple_too():
    assert len(build(widen_factor=0.25)(torch.zeros(1, 3, 33, 33))) == 1


def test_train_returns_the_module_and_keeps_frozen_layers_in_evaluation_mode():
    model = build(widen_factor=0.25, frozen_stages=3, norm_eval=True)
    assert model.train() is model
    assert not model.layer3.training
    assert not any(m.training for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert not next(model.layer3.parameters()).requires_grad
    assert next(model.layer4.parameters()).requires_grad
