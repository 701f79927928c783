import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmwsss.models.heads import DeepLabV2Head
from mmwsss.models.heads.deeplabv2_head import SummedBranches


def test_on_one_cell_only_the_centres_of_the_kernels_count():
    head = DeepLabV2Head(1, num_classes=2, dilations=(1, 6))
    for conv, centre, bias in zip(head.conv_seg, (2.0, 5.0), (0.5, 0.25), strict=True):
        conv.weight.data.fill_(100)
        conv.weight.data[:, :, 1, 1] = centre
        conv.bias.data.fill_(bias)
    # (2 + 5) * 3 + 0.5 + 0.25
    assert_close(head((torch.full((1, 1, 1, 1), 3.0),)), torch.full((1, 2, 1, 1), 21.75))


def test_a_branch_sees_nine_cells_at_its_dilation():
    branches = SummedBranches(1, 1, (2, 3), bias=False)
    for conv in branches:
        torch.nn.init.ones_(conv.weight)
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    seen = branches(x)[0, 0].detach()
    expected = torch.zeros(9, 9)
    for dilation in (2, 3):
        for dy in (-dilation, 0, dilation):
            for dx in (-dilation, 0, dilation):
                expected[4 + dy, 4 + dx] += 1
    assert_close(seen, expected)


def test_the_published_head_has_a_million_and_a_half_weights_drawn_narrowly_and_no_bias():
    head = DeepLabV2Head(2048, num_classes=21)
    head.init_weights()
    assert sum(p.numel() for p in head.parameters()) == 4 * (2048 * 9 * 21 + 21)
    for conv, dilation in zip(head.conv_seg, (6, 12, 18, 24), strict=True):
        assert conv.padding == conv.dilation == (dilation, dilation)
        assert abs(conv.weight.std().item() - 0.01) < 1e-4
        assert not conv.bias.any()


def test_there_is_neither_dropout_nor_relu_in_it(rng):
    head = DeepLabV2Head(4, num_classes=3, dilations=(1,)).train()
    x = torch.randn(2, 4, 5, 5, generator=rng)
    conv = head.conv_seg[0]
    assert_close(head((x,)), F.conv2d(x, conv.weight, conv.bias, padding=1))


def test_a_head_without_a_branch_is_refused():
    with pytest.raises(ValueError, match='dilations is empty'):
        DeepLabV2Head(4, num_classes=3, dilations=())
