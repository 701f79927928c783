import torch
from torch import nn
from torch.testing import assert_close

from mmwsss.registry import MODELS


def build(**options):
    config = dict(type='DilatedLargeFOVHead', in_channels=1, num_classes=3, channels=1)
    return MODELS.build({**config, **options})


def test_a_position_sees_what_two_dilations_reach():
    head = build(dilation=3)
    for conv in (head.conv.conv, head.conv_seg):
        nn.init.ones_(conv.weight)
        nn.init.zeros_(conv.bias)
    image = torch.zeros(1, 1, 17, 17)
    image[..., 8, 8] = 1
    # Each 3x3 convolution adds shifts of -3, 0 and 3: their sums are reached once, twice, ...
    reached = torch.zeros(17)
    reached[[2, 5, 8, 11, 14]] = torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0])
    expected = reached[:, None] * reached[None, :]
    assert_close(head((image,)), expected.expand(1, 3, 17, 17))


def test_negative_values_are_cut_between_the_convolutions():
    head = build(channels=2)
    nn.init.constant_(head.conv.conv.weight, -1.0)
    nn.init.zeros_(head.conv.conv.bias)
    scores = head((torch.ones(1, 1, 4, 4),))
    assert_close(scores, head.conv_seg.bias[:, None, None].expand(1, 3, 4, 4))


def test_the_default_has_the_published_layers():
    head = build(in_channels=4096, num_classes=21, channels=512)
    shapes = [tuple(value.shape) for value in head.parameters()]
    assert shapes == [(21, 512, 3, 3), (21,), (512, 4096, 3, 3), (512,)]
    assert head.conv.conv.dilation == head.conv_seg.dilation == (12, 12)
    assert not head.align_corners


def test_the_first_weights_are_finite_and_small():
    head = build(in_channels=8, channels=16)
    head.init_weights()
    assert head.conv_seg.weight.std() < 0.02
