import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmwsss.models.heads.cam_head import linear_scores
from mmwsss.registry import MODELS

FORMATS = [torch.contiguous_format, torch.channels_last]


def test_linear_scores_of_hand_made_features():
    feats = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    scores = linear_scores(feats, torch.tensor([[1.0, 0.0], [1.0, -1.0], [0.0, 2.0]]))
    assert scores.tolist() == [[[[1, 2]], [[-2, -2]], [[6, 8]]]]


@pytest.mark.parametrize('memory_format', FORMATS)
def test_linear_scores_and_gradients_are_those_of_a_convolution(rng, memory_format):
    feats = torch.randn(2, 5, 3, 4, generator=rng).to(memory_format=memory_format).requires_grad_()
    weights = torch.randn(6, 5, generator=rng).requires_grad_()
    upstream = torch.randn(2, 6, 3, 4, generator=rng)
    scores = linear_scores(feats, weights)
    expected = F.conv2d(feats, weights[..., None, None])
    assert_close(scores, expected)
    assert_close(
        torch.autograd.grad(scores, (feats, weights), upstream),
        torch.autograd.grad(expected, (feats, weights), upstream),
    )


@pytest.mark.parametrize('memory_format', FORMATS)
def test_scores_and_gradient_keep_the_memory_format_of_the_features(rng, memory_format):
    feats = torch.randn(2, 5, 3, 4, generator=rng).to(memory_format=memory_format).requires_grad_()
    scores = linear_scores(feats, torch.randn(6, 5, generator=rng))
    assert scores.is_contiguous(memory_format=memory_format)
    (grad,) = torch.autograd.grad(scores, feats, torch.ones_like(scores))
    assert grad.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize('memory_format', FORMATS)
def test_autocast_scores_in_half_precision(rng, memory_format):
    feats = torch.randn(2, 5, 3, 4, generator=rng).to(memory_format=memory_format)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert linear_scores(feats, torch.randn(6, 5, generator=rng)).dtype == torch.bfloat16


@pytest.mark.parametrize('kind', ['CAMHead', 'ClassBranchesHead'])
def test_an_inner_feature_map_can_be_scored(rng, kind):
    options = dict(in_channels=4, num_classes=2, pooling=dict(type='GlobalAveragePooling'))
    head = MODELS.build(dict(type=kind, in_index=0, **options))
    inner = torch.randn(1, 4, 3, 5, generator=rng)
    outputs = head((inner, torch.randn(1, 6, 2, 2, generator=rng)))
    assert_close(outputs.score_map, head.score(inner))
