from types import SimpleNamespace

import pytest
import torch

from mmwsss.engine.hooks import InvalidLossHook
from mmwsss.structures import UserInputError


def run(losses, interval=50, max_iters=None):
    hook = InvalidLossHook(interval=interval)
    runner = SimpleNamespace(iter=0, max_iters=max_iters or len(losses), work_dir='work')
    hook.before_train(runner)
    for runner.iter, loss in enumerate(losses):
        hook.after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(loss)))
    return runner.iter


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -float('inf')])
def test_the_first_invalid_loss_is_named(bad):
    with pytest.raises(UserInputError, match=r'work: the loss of iteration 3 is NaN or infinite'):
        run([1.0, 2.0, bad, bad, 1.0])


def test_finite_losses_pass():
    assert run([1.0, 1e30, -1.0]) == 2


def test_it_is_found_at_the_next_comparison_not_at_the_end():
    with pytest.raises(UserInputError, match=r'iteration 2 .*found at iteration 4'):
        run([1.0, float('nan'), 1.0, 1.0, 1.0, 1.0], interval=4, max_iters=100)


def test_weights_that_are_not_finite_are_not_written():
    model = torch.nn.Linear(1, 1)
    runner = SimpleNamespace(model=model, iter=7, work_dir='work')
    state = model.state_dict()
    InvalidLossHook().before_save_checkpoint(runner, dict(state_dict=state))
    state['weight'] = torch.full((1, 1), float('nan'))
    with pytest.raises(UserInputError, match=r'weights weight are NaN .*found at iteration 8'):
        InvalidLossHook().before_save_checkpoint(runner, dict(state_dict=state))
