from types import SimpleNamespace

import pytest
import torch
from mmseg.structures import SegDataSample
from torch import nn

from mmwsss.engine.hooks import CollapseHook
from mmwsss.models.objectives import MultiLabelSoftMargin, SpatialBCE
from mmwsss.structures import CAMOutputs, UserInputError


def run(values, *, interval=100, stop=True):
    """Give a hook one value per iteration, or none; return the last iteration."""
    hook = CollapseHook(interval=interval, stop=stop)
    model = SimpleNamespace(objectives=[SpatialBCE()])
    runner = SimpleNamespace(model=model, iter=0, max_iters=len(values), work_dir='work')
    hook.before_train(runner)
    for runner.iter, value in enumerate(values):
        outputs = {'loss': torch.tensor(0.0)}
        if value is not None:
            outputs['probability_over_proportion'] = torch.as_tensor(value)
        hook.after_train_iter(runner, 0, outputs=outputs)
    return runner.iter


def sample_of(label):
    sample = SegDataSample()
    sample.gt_label = torch.tensor([label])
    sample.gt_proportion = torch.zeros(3, dtype=torch.float64)
    sample.gt_proportion[label] = 0.25
    return sample


def trained_values(start, iterations=60):
    """What SpatialBCE reports while score maps (2, 3, 4, 4) learn from a mean of ``start``."""
    noise = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    maps = nn.Parameter(start + noise)
    objective, samples = SpatialBCE(), [sample_of(0), sample_of(2)]
    parts = dict(threshold_map=torch.zeros(2, 3, 4, 4), log_temperature=torch.zeros(3))
    optimizer = torch.optim.SGD([maps], lr=20.0)
    values = []
    for _ in range(iterations):
        losses = objective(CAMOutputs(maps, maps, None, None, parts), samples, None)
        values.append(losses.pop('probability_over_proportion'))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    return values


def test_a_training_whose_probabilities_follow_their_proportions_passes():
    values = trained_values(start=0.0)
    assert run(values, interval=20) == len(values) - 1
    assert values[-1] == pytest.approx(1, abs=0.3)


def test_a_training_whose_probabilities_are_at_zero_is_stopped():
    values = trained_values(start=-8.0)
    with pytest.raises(
        UserInputError, match=r'work: the probabilities collapsed\. By iteration 20'
    ):
        run(values, interval=20)


def test_a_collapse_is_found_at_the_next_comparison():
    with pytest.raises(UserInputError, match=r'By iteration 8, .* are 0\.01 of their proportions'):
        run([1.0] * 4 + [0.01] * 8, interval=4)


def test_it_is_found_at_the_end():
    with pytest.raises(UserInputError, match='By iteration 3'):
        run([0.01] * 3)


@pytest.mark.parametrize('values', [[1.0, 0.0, 0.0, 0.0], [5.0, 0.3, 0.9, 1.1], [None] * 8])
def test_low_values_of_single_iterations_and_none_pass(values):
    assert run(values, interval=4) == len(values) - 1


def test_a_warning_does_not_stop(monkeypatch):
    lines = []
    path = 'mmwsss.engine.hooks.collapse_hook.print_log'
    monkeypatch.setattr(path, lambda text, *_: lines.append(text))
    assert run([0.0] * 4, interval=2, stop=False) == 3
    assert [text.count('\n') for text in lines] == [0, 0]


def test_a_model_that_does_not_report_the_value_is_an_error_before_the_training():
    model = SimpleNamespace(objectives=[MultiLabelSoftMargin()])
    with pytest.raises(UserInputError, match='no objective of the model reports'):
        CollapseHook().before_train(SimpleNamespace(model=model))


def test_an_interval_below_one_is_refused():
    with pytest.raises(ValueError, match='interval must be >= 1'):
        CollapseHook(interval=0)
