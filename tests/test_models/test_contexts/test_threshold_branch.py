import pytest
import torch
from torch.testing import assert_close

from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs

AVERAGE = dict(type='GlobalAveragePooling')


def threshold_head(in_channels, num_classes, *, channels=128, pooling=AVERAGE, **branch):
    return MODELS.build(
        dict(
            type='CAMHead',
            in_channels=channels or in_channels,
            num_classes=num_classes,
            context=dict(
                type='ThresholdBranch',
                in_channels=in_channels,
                num_classes=num_classes,
                channels=channels,
                **branch,
            ),
            pooling=pooling,
        )
    )


def test_the_head_meets_the_published_outputs_and_gradients(oracle):
    data = {name: torch.from_numpy(array) for name, array in oracle('sbce_head').items()}
    num_classes, channels = data['weight_fc'].shape
    head = threshold_head(data['features'].shape[1], num_classes, channels=channels)
    branch = head.context
    parameters = {
        'threshold': branch.threshold.weight,
        'down': branch.reduction.weight,
        'fc': head.classifier.weight,
    }
    with torch.no_grad():
        branch.log_temperature.copy_(data['temperature_log'])
        for name, parameter in parameters.items():
            parameter.copy_(data[f'weight_{name}'][..., None, None])
    features = data['features'].requires_grad_()
    outputs = head((features.relu(),))
    scale = outputs.parts['log_temperature'].exp().view(-1, 1, 1)
    logits, tau = outputs.score_map * scale, outputs.parts['threshold_map']
    scalar = (data['out_weights_logits'] * logits).sum() + (data['out_weights_tau'] * tau).sum()
    scalar.backward()
    found = {
        'logits': logits,
        'logits_raw': outputs.score_map,
        'tau': tau,
        'grad_features': features.grad,
        'grad_temperature': branch.log_temperature.grad,
        **{f'grad_weight_{key}': value.grad.flatten(1) for key, value in parameters.items()},
    }
    for name, values in found.items():
        expected = data[name]
        assert (values - expected).abs().max() <= 1e-5 * expected.abs().max(), name


def test_the_temperature_starts_at_its_scale():
    branch = threshold_head(6, 3, init_scale=4.0).context
    assert_close(branch.log_temperature.exp(), torch.full((3,), 4.0))


def test_without_a_reduction_the_classifier_sees_the_features():
    head = threshold_head(6, 3, channels=None)
    feats = torch.randn(2, 6, 3, 4)
    outputs = head((feats,))
    assert outputs.feats is feats
    assert outputs.parts['threshold_map'].shape == outputs.score_map.shape == (2, 3, 3, 4)
    assert head.context.out_channels == 6


def test_the_head_provides_what_the_branch_gives():
    assert threshold_head(6, 3).provides == ('threshold_map', 'log_temperature')


def test_weights_start_as_xavier_uniform():
    branch = threshold_head(6, 3, channels=5).context
    branch.threshold.weight.data.fill_(9)
    branch.init_weights()
    limit = (6 / (6 + 3)) ** 0.5
    assert limit / 3 < branch.threshold.weight.abs().max() <= limit


def test_the_initial_weights_of_the_head_do_not_reach_the_branch():
    # The head's own weights are N(0, 0.01).
    head = threshold_head(60, 30)
    head.init_weights()
    assert head.context.threshold.weight.std() > 0.1
    assert head.classifier.weight.std() < 0.02
    assert_close(head.context.log_temperature.exp(), torch.full((30,), 10.0))


def test_a_head_of_other_channels_than_the_branch_is_refused():
    context = dict(type='ThresholdBranch', in_channels=6, num_classes=3, channels=4)
    pooling = dict(type='GlobalAveragePooling')
    with pytest.raises(ValueError, match='ThresholdBranch gives features of 4 channels'):
        MODELS.build(
            dict(type='CAMHead', in_channels=6, num_classes=3, context=context, pooling=pooling)
        )


def test_a_head_of_other_classes_than_the_branch_is_refused():
    context = dict(type='ThresholdBranch', in_channels=6, num_classes=4, channels=5)
    pooling = dict(type='GlobalAveragePooling')
    with pytest.raises(ValueError, match='CAMHead is 3, but its ThresholdBranch has num_classes=4'):
        MODELS.build(
            dict(type='CAMHead', in_channels=5, num_classes=3, context=context, pooling=pooling)
        )


def test_the_probabilities_of_an_image_are_those_of_scores_times_temperature():
    head = threshold_head(6, 2, channels=None)
    head.context.log_temperature.data.copy_(torch.tensor([2.0, 5.0]).log())
    score_map = torch.tensor([0.1, 0.3, -0.2, 0.0]).view(1, 2, 1, 2)
    outputs = CAMOutputs(score_map, score_map, None, parts=head.context(torch.zeros(1, 6, 1, 2))[1])
    # Means 0.2 and -0.1, times 2 and 5.
    assert_close(head.image_scores(outputs), torch.tensor([[0.4, -0.5]]).sigmoid())


def test_a_background_class_has_no_temperature(rng):
    head = threshold_head(6, 2, channels=None, pooling=dict(type='BackgroundAwarePooling'))
    outputs = head((torch.randn(1, 6, 4, 4, generator=rng),))
    assert_close(head.image_scores(outputs), head.pooling.image_scores(outputs.score_map))


def test_a_scale_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match='init_scale must be > 0'):
        threshold_head(6, 3, init_scale=0)
