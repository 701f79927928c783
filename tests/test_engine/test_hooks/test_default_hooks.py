import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmwsss.engine.checks.trial_parts import check_runtime
from mmwsss.engine.hooks import CheckpointHook, InvalidLossHook
from mmwsss.engine.pipeline.runner import StageRunner


def registered(hooks, scope):
    runner = object.__new__(StageRunner)  # only the hooks, without model and data
    runner._hooks = []
    with DefaultScope.overwrite_default_scope(scope):
        runner.register_default_hooks(hooks)
    return {type(hook) for hook in runner.hooks}


@pytest.mark.parametrize('scope', ['mmwsss', 'mmseg', 'mmengine'])
@pytest.mark.parametrize('hooks', [None, dict(checkpoint=dict(type='CheckpointHook', interval=5))])
def test_a_training_has_our_hooks_in_every_scope(scope, hooks):
    assert {CheckpointHook, InvalidLossHook} <= registered(hooks, scope)


def test_a_config_may_leave_the_hook_of_the_loss_out():
    hooks = dict(invalid_loss=None)
    check_runtime('train', Config(dict(default_hooks=hooks)))
    assert InvalidLossHook not in registered(hooks, 'mmseg')
