import pytest
import torch
from mmseg.models.backbones import ResNet
from torch import nn
from torch.testing import assert_close

from mmwsss.registry import MODELS

OPTIONS = dict(
    depth=50,
    base_channels=4,
    stem_channels=4,
    style='caffe',
    strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4),
    out_indices=(3,),
    norm_eval=True,
)


def build(**options):
    torch.manual_seed(0)
    return MODELS.build({'type': 'CeilPoolResNet', **OPTIONS, **options})


@pytest.mark.parametrize(
    ('size', 'cells'),
    [((321, 321), (41, 41)), ((241, 161), (31, 21)), ((375, 500), (48, 63)), ((95, 128), (13, 17))],
)
def test_the_grid_is_that_of_caffe(size, cells):
    with torch.no_grad():
        (feats,) = build().eval()(torch.zeros(1, 3, *size))
    assert feats.shape[2:] == cells


def test_only_the_rounding_of_the_pooling_differs_from_the_parent(rng):
    own = build().eval()
    parent = ResNet(**OPTIONS)
    parent.eval()  # returns nothing
    parent.load_state_dict(own.state_dict())
    image = torch.randn(1, 3, 65, 97, generator=rng)  # odd after the stem: no rounding
    assert_close(own(image), parent(image))


def test_strides_are_in_the_first_convolution_and_every_block_of_a_stage_is_dilated():
    backbone = build()
    assert backbone.layer2[0].conv1.stride == (2, 2)
    assert backbone.layer2[0].conv2.stride == (1, 1)
    for stage, dilation in ((backbone.layer3, 2), (backbone.layer4, 4)):
        assert {block.conv2.dilation for block in stage} == {(dilation, dilation)}


def test_normalisations_can_be_frozen_entirely():
    backbone = build(norm_cfg={'type': 'BN', 'requires_grad': False}).train()
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert not any(norm.training for norm in norms)
    assert not any(p.requires_grad for norm in norms for p in norm.parameters())
