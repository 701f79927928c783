import json
import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

RESNET = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4)
RESNET50 = dict(type='ResNet', depth=50, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 1))
TAPS = ('maxpool', 'layer1', 'layer2', 'layer3', 'layer4')


def tapped(backbone, taps):
    return MODELS.build(dict(type='TappedBackbone', backbone=backbone, taps=taps)).eval()


def closed_form_weights(names, shapes, phase):
    """Waves sin(0.01 (i mod 9973)^2 + j + phase) for tensor j, element i, scaled by its kind."""
    squares = np.arange(9973, dtype=np.int64) ** 2
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
        yield name, torch.from_numpy(wave.astype(np.float32).reshape(shape))


def test_stem_and_stages_of_resnet_50_equal_the_oracle(oracle):
    arrays = oracle('irn_backbone')
    names = arrays['param_names'].tolist()
    shapes = [json.loads(str(shape)) for shape in arrays['param_shapes']]
    model = tapped(RESNET50, TAPS)
    state = model.backbone.state_dict()
    kept = [name for name in state if not name.endswith('num_batches_tracked')]
    assert kept == names
    state.update(closed_form_weights(names, shapes, arrays['phase']))
    model.backbone.load_state_dict(state)
    with torch.no_grad():
        feats = model(torch.from_numpy(arrays['input']))
    for number, feat in enumerate(feats, 1):
        get = lambda key: torch.from_numpy(np.asarray(arrays[f'x{number}_{key}']))  # noqa: B023, E731
        assert feat.shape == tuple(get('shape'))
        atol = 1e-5 * float(get('max'))
        for found, key in (
            (feat.flatten()[get('sample_index')], 'samples'),
            (feat.mean(dim=(0, 2, 3)), 'channel_mean'),
            (feat.mean(dim=(0, 1)), 'spatial_mean'),
        ):
            assert_close(found, get(key), rtol=0, atol=atol)
        assert_close(feat.double().sum(), get('sum'), rtol=2e-6, atol=0)


def test_taps_of_stages_are_what_the_backbone_returns(rng):
    model = tapped(RESNET, ('layer1', 'layer4'))
    images = torch.randn(2, 3, 33, 40, generator=rng)
    first, _, _, last = model.backbone(images)
    assert_close(model(images), (first, last), rtol=0, atol=0)
    assert_close(model(images), (first, last), rtol=0, atol=0)  # nothing is left of the first call


def test_a_layer_within_a_stage_may_be_named(rng):
    backbone = dict(type='DilatedMobileNetV2', widen_factor=0.5)
    feats = tapped(backbone, ('layer2.0', 'layer7'))(torch.randn(1, 3, 64, 48, generator=rng))
    assert [feat.shape[2:] for feat in feats] == [(16, 12), (2, 2)]


def test_a_name_that_the_backbone_lacks_is_refused():
    with pytest.raises(UserInputError, match=r"ResNet has no module 'stem'.* maxpool, layer1"):
        tapped(RESNET, ('stem', 'layer1'))


def test_a_module_that_does_not_run_is_refused():
    model = tapped(dict(type='DilatedMobileNetV2', widen_factor=0.5), ('layer1',))
    model.backbone.spare = torch.nn.Identity()
    model.taps = ('layer1', 'spare')
    with pytest.raises(UserInputError, match="module 'spare' of DilatedMobileNetV2 did not run"):
        model(torch.ones(1, 3, 32, 32))
