import pytest
import torch
from torch.testing import assert_close

from mmwsss.registry import MODELS


def build(**options):
    return MODELS.build({'type': 'ConcatConvNeck', **options})


def test_joined_features_are_a_rectified_linear_map_of_all_levels():
    neck = build(in_channels=[1, 2], out_channels=2)
    with torch.no_grad():
        neck.conv.conv.weight.copy_(torch.tensor([[1.0, 1, 1], [-1, 0, 0]])[..., None, None])
        neck.conv.conv.bias.zero_()
    feats = (torch.full((1, 1, 4, 4), 3.0), torch.full((1, 2, 2, 2), 0.5))
    (joined,) = neck(feats)
    assert_close(joined, torch.tensor([4.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2))


def test_number_of_levels_must_match_the_backbone():
    neck = build(in_channels=[3], out_channels=4)
    with pytest.raises(ValueError, match='out_indices'):
        neck((torch.zeros(1, 9, 8, 8), torch.zeros(1, 3, 4, 4)))


def test_without_bias_nothing_stays_nothing():
    neck = build(in_channels=[3], out_channels=4, bias=False)
    assert neck.conv.conv.bias is None
    assert not neck((torch.zeros(1, 3, 2, 2),))[0].any()


def test_the_initialisation_asked_for_is_not_overwritten():
    neck = build(
        in_channels=[3], out_channels=4, init_cfg=dict(type='Constant', layer='Conv2d', val=0.5)
    )
    neck.init_weights()
    assert (neck.conv.conv.weight == 0.5).all()
