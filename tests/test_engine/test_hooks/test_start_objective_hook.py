from types import SimpleNamespace

import pytest
import torch
from mmseg.structures import SegDataSample

from mmwsss.registry import HOOKS, MODELS
from mmwsss.structures import Objective, UserInputError


class MultiLabelSoftMargin(Objective):
    def forward(self, outputs, data_samples, encode):
        raise NotImplementedError


class ErasingTriplet(MultiLabelSoftMargin):
    pass


def runner_at(iteration, *objectives):
    model = SimpleNamespace(objectives=list(objectives))
    return SimpleNamespace(model=model, iter=iteration, max_iters=10)


def hook(begin=3):
    return HOOKS.build(dict(type='StartObjectiveHook', objective='ErasingTriplet', begin=begin))


@pytest.mark.parametrize(('iteration', 'enabled'), [(0, False), (2, False), (3, True), (9, True)])
def test_whether_an_objective_is_enabled_follows_from_the_iteration_alone(iteration, enabled):
    # A fresh hook, as after resuming.
    triplet = ErasingTriplet()
    hook().before_train_iter(runner_at(iteration, triplet), 0)
    assert triplet.enabled is enabled


def test_other_objectives_are_left_alone():
    other = MultiLabelSoftMargin()
    other.enabled = 'as it was'
    hook().before_train_iter(runner_at(0, other, ErasingTriplet()), 0)
    assert other.enabled == 'as it was'


def test_an_objective_that_the_model_lacks_is_named_before_the_training():
    with pytest.raises(UserInputError, match=r"no objective 'ErasingTriplet'.*MultiLabelSoftM"):
        hook().before_train(runner_at(0, MultiLabelSoftMargin()))


def test_the_only_objective_cannot_start_later():
    with pytest.raises(UserInputError, match='only objective'):
        hook().before_train(runner_at(0, ErasingTriplet()))
    hook(begin=0).before_train(runner_at(0, ErasingTriplet()))


@pytest.mark.parametrize('begin', [10, 11])
def test_an_objective_that_the_training_never_gets_to_is_an_error(begin):
    runner = runner_at(0, MultiLabelSoftMargin(), ErasingTriplet())
    with pytest.raises(
        UserInputError, match=rf'begin={begin} is not below the number of training iterations, 10'
    ):
        hook(begin=begin).before_train(runner)
    hook(begin=9).before_train(runner)


def test_a_disabled_objective_is_not_called_by_the_classifier(tiny_classifier, monkeypatch):
    objective = dict(type='MultiLabelSoftMargin')
    model = MODELS.build(tiny_classifier(objective, objective, num_classes=2))
    sample = SegDataSample()
    sample.gt_score = torch.ones(2)
    model.objectives[1].enabled = False
    monkeypatch.setattr(model.objectives[1], 'forward', None)  # calling it would fail
    assert set(model.loss(torch.zeros(1, 3, 64, 64), [sample])) == {'loss_multi_label'}


def two_triplets(name=None):
    first, second = ErasingTriplet(), ErasingTriplet()
    if name:
        second.name = name
    return first, second


def test_of_two_objectives_of_one_type_the_hook_must_name_one():
    runner = runner_at(0, *two_triplets(), MultiLabelSoftMargin())
    with pytest.raises(UserInputError, match=r"has 2 objectives 'ErasingTriplet'.*name='late'"):
        hook().before_train(runner)


@pytest.mark.parametrize(('chosen', 'switched'), [('late', 1), ('ErasingTriplet', 0)])
def test_a_hook_switches_the_objective_of_that_name_alone(chosen, switched):
    triplets = two_triplets('late')
    chosen_hook = HOOKS.build(dict(type='StartObjectiveHook', objective=chosen, begin=3))
    chosen_hook.before_train(runner_at(0, *triplets))
    chosen_hook.before_train_iter(runner_at(0, *triplets), 0)
    assert [triplet.enabled for triplet in triplets] == [switched != 0, switched != 1]
