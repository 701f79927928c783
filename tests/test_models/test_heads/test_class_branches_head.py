import pytest
import torch
from mmseg.structures import SegDataSample
from reference import class_branches as reference
from torch.testing import assert_close

from mmwsss.models.heads import ClassBranches
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

POOLING = dict(type='GlobalAveragePooling')


def build_head(in_channels=6):
    return MODELS.build(
        dict(type='ClassBranchesHead', in_channels=in_channels, num_classes=3, pooling=POOLING)
    )


def copy_separate(branches, separate):
    """Copy the parameters of separate networks into the branches."""
    for name in ('weight', 'bias'):
        for layer, rows in zip(
            branches.layers(), reference.parameters(separate, name), strict=True
        ):
            getattr(layer, name).data.copy_(torch.cat([row.data for row in rows]))


def make_pair(num_classes=3):
    torch.manual_seed(0)
    separate = reference.separate_branches(6, num_classes)
    branches = ClassBranches(6, num_classes)
    copy_separate(branches, separate)
    return branches, separate


def test_the_head_meets_the_published_maps_and_logits(oracle):
    data = {name: torch.from_numpy(array) for name, array in oracle('rca_heads').items()}
    for case in range(int(data['num_cases'])):
        x, expected = data[f'c{case}_xhat'], data[f'c{case}_map']
        head = MODELS.build(
            dict(
                type='ClassBranchesHead',
                in_channels=x.shape[1],
                num_classes=expected.shape[1],
                pooling=POOLING,
            )
        )
        for i, layer in enumerate(head.classifier.layers()):
            layer.weight.data.copy_(data[f'c{case}_w{i}'].flatten(0, 1))
            layer.bias.data.copy_(data[f'c{case}_b{i}'].flatten())
        outputs = head((x,))
        assert_close(outputs.score_map, expected, rtol=0, atol=1e-5)
        assert_close(outputs.logits, data[f'c{case}_logits'], rtol=0, atol=2e-6)


@pytest.mark.parametrize('num_classes', [3, 1])
def test_scores_are_those_of_separate_networks(rng, num_classes):
    branches, separate = make_pair(num_classes)
    x = torch.randn(2, 6, 5, 7, generator=rng)
    assert_close(branches(x), reference.scores(separate, x))


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_gradients_are_those_of_separate_networks(rng, memory_format):
    branches, separate = make_pair()
    branches.to(memory_format=memory_format)
    x = torch.randn(2, 6, 5, 7, generator=rng).to(memory_format=memory_format).requires_grad_()
    upstream = torch.randn(2, 3, 5, 7, generator=rng)
    (found,) = torch.autograd.grad((branches(x) * upstream).sum(), x)
    (expected,) = torch.autograd.grad((reference.scores(separate, x) * upstream).sum(), x)
    assert_close(found, expected, rtol=1e-4, atol=1e-6)
    (branches(x) * upstream).sum().backward()
    (reference.scores(separate, x) * upstream).sum().backward()
    for layer, rows in zip(
        branches.layers(), reference.parameters(separate, 'weight'), strict=True
    ):
        expected_grad = torch.cat([row.grad for row in rows])
        assert_close(layer.weight.grad, expected_grad, rtol=1e-4, atol=1e-6)


def test_a_branch_does_not_touch_the_score_of_another_class(rng):
    branches, _ = make_pair()
    x = torch.randn(1, 6, 5, 5, generator=rng)
    before = branches(x)
    branches.convs[1].weight.data[:6] = 0  # the six channels of class 0
    changed = (branches(x) != before).flatten(2).any(2)
    assert changed.tolist() == [[True, False, False]]


def test_half_precision_scores_are_close_and_finite(rng):
    branches, _ = make_pair()
    x = torch.randn(1, 6, 5, 5, generator=rng)
    expected = branches(x)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = branches(x)
    assert found.dtype == torch.bfloat16
    assert_close(found.float(), expected, rtol=0.05, atol=0.02)


def test_a_pooling_with_background_has_a_branch_for_it():
    head = MODELS.build(
        dict(
            type='ClassBranchesHead',
            in_channels=6,
            num_classes=3,
            pooling=dict(type='BackgroundAwarePooling'),
        )
    )
    assert head.score(torch.zeros(1, 6, 4, 4)).shape == (1, 4, 4, 4)


def test_all_weights_start_as_the_init_config_says():
    head = build_head(in_channels=40)
    head.init_weights()
    for layer in head.classifier.layers():
        assert 0.005 < layer.weight.std() < 0.02
        assert layer.bias.abs().max() == 0


def test_asking_for_class_weights_names_the_head_that_has_them():
    with pytest.raises(UserInputError, match='Use head type CAMHead'):
        _ = build_head().class_weights


def test_a_classifier_with_class_branches_learns_and_predicts(tiny_classifier):
    objective = dict(type='MultiLabelSoftMargin')
    model = MODELS.build(tiny_classifier(objective, num_classes=3, type='ClassBranchesHead'))
    sample = SegDataSample(metainfo=dict(ori_shape=(64, 64), img_shape=(64, 64)))
    sample.gt_score = torch.tensor([1.0, 0, 1])
    sample.gt_label = torch.tensor([0, 2])
    model.loss(torch.randn(1, 3, 64, 64), [sample])['loss_multi_label'].backward()
    assert all(p.grad is not None for p in model.head.parameters())
    (predicted,) = model.eval().predict(torch.randn(1, 3, 64, 64), [sample])
    assert predicted.cams.shape == (2, 64, 64)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_features_beyond_half_precision_have_finite_scores(dtype, rng):
    torch.manual_seed(0)
    head = build_head()
    head.init_weights()
    x = 1e7 * torch.randn(2, 6, 5, 7, generator=rng)
    expected = head((x,)).score_map
    with torch.autocast('cpu', dtype=dtype):
        scores = head((x,)).score_map
    assert scores.dtype == torch.float32
    assert_close(scores, expected, rtol=0, atol=0.02 * expected.abs().max().item())
