from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from faults.checkpoints import NOT_RESUMED
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict, PolyLR
from torch import nn

from mmwsss.engine.checks.resume_checks import check_resumable
from mmwsss.structures import UserInputError


def training(*, momentum=0.9, channels=2, groups=1, schedules=1):
    """The training state of a runner: an optimizer after one step, and its schedules."""
    layers = [nn.Linear(channels, 2) for _ in range(groups)]
    optimizer = torch.optim.SGD(
        [dict(params=layer.parameters()) for layer in layers], lr=0.1, momentum=momentum
    )
    sum(layer(torch.ones(1, channels)).sum() for layer in layers).backward()
    optimizer.step()
    wrapper = OptimWrapper(optimizer)
    lines = [PolyLR(wrapper, by_epoch=False, end=9) for _ in range(schedules)]
    return SimpleNamespace(optim_wrapper=wrapper, param_schedulers=lines)


@pytest.fixture
def good(tmp_path):
    own = training()
    content = dict(
        meta=dict(epoch=0, iter=2),
        state_dict={},
        message_hub=MessageHub('resume').state_dict(),
        optimizer=own.optim_wrapper.state_dict(),
        param_schedulers=[line.state_dict() for line in own.param_schedulers],
    )
    torch.save(content, tmp_path / 'good.pth')
    return tmp_path / 'good.pth'


def check(path, runner):
    check_resumable(torch.load(path), str(path), runner)


def test_the_state_of_the_same_training_is_taken(good):
    check(good, training())


@pytest.mark.parametrize('kind', NOT_RESUMED)
def test_a_damaged_state_is_refused_in_one_line(kind, good, tmp_path):
    NOT_RESUMED[kind](good, tmp_path / 'wrong.pth')
    with pytest.raises(UserInputError, match=r'wrong\.pth cannot be resumed: .*anew') as error:
        check(tmp_path / 'wrong.pth', training())
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (dict(channels=3), r'momentum_buffer.*\(2, 2\), but the parameter has \(2, 3\)'),
        (dict(groups=2), r'groups of \[2\] parameters, but that of the config has \[2, 2\]'),
        (dict(schedules=2), 'number of schedules is 1, but the config has 2'),
    ],
)
def test_the_state_of_another_training_is_refused(other, message, good):
    with pytest.raises(UserInputError, match=message):
        check(good, training(**other))


def test_the_state_of_another_optimizer_is_refused(good):
    runner = training()
    layer = nn.Linear(2, 2)
    runner.optim_wrapper = OptimWrapper(torch.optim.Adam(layer.parameters()))
    with pytest.raises(UserInputError, match=r"lacks \['betas', 'eps'\]"):
        check(good, runner)


def two_optimizers(first='one', channels=2):
    own = {name: training(channels=channels).optim_wrapper for name in (first, 'two')}
    return SimpleNamespace(optim_wrapper=OptimWrapperDict(**own), param_schedulers=None)


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        ({}, None),
        (dict(first='three'), r"\['one', 'two'\], but those of the config are \['three', 'two'\]"),
        (dict(channels=3), r'one: momentum_buffer .*\(2, 2\), but the parameter has \(2, 3\)'),
    ],
)
def test_several_optimizers_are_compared_one_by_one(other, message, good, tmp_path):
    content = torch.load(good)
    content['optimizer'] = two_optimizers().optim_wrapper.state_dict()
    torch.save(content, tmp_path / 'two.pth')
    with pytest.raises(UserInputError, match=message) if message else nullcontext():
        check(tmp_path / 'two.pth', two_optimizers(**other))


def test_what_a_newer_optimizer_sets_itself_may_be_missing(good, tmp_path):
    content = torch.load(good)
    for group in content['optimizer']['param_groups']:
        del group['nesterov'], group['maximize'], group['foreach']
    torch.save(content, tmp_path / 'older.pth')
    own = training()
    before = [sorted(group) for group in own.optim_wrapper.param_groups]
    check(tmp_path / 'older.pth', own)
    assert [sorted(group) for group in own.optim_wrapper.param_groups] == before
    content['optimizer']['param_groups'][0].pop('momentum')
    torch.save(content, tmp_path / 'without.pth')
    with pytest.raises(UserInputError, match=r"lacks \['momentum'\]"):
        check(tmp_path / 'without.pth', own)


def test_an_optimizer_may_keep_values_of_another_shape_than_its_parameters(good, tmp_path):
    content = torch.load(good)
    for state in content['optimizer']['state'].values():
        state.update(row_var=torch.zeros(2, 1), col_var=torch.zeros(1, 2))
    torch.save(content, tmp_path / 'rows.pth')
    check(tmp_path / 'rows.pth', training())
