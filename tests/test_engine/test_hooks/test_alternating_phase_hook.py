from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.model.wrappers import MMDistributedDataParallel
from torch import nn

from mmwsss.registry import HOOKS
from mmwsss.structures import PhasedObjective, UserInputError


class Recorder(PhasedObjective):
    """An objective that remembers its phases."""

    def __init__(self):
        super().__init__()
        self.phases = []

    def set_phase(self, phase):
        self.phases.append(phase)

    def forward(self, outputs, data_samples, encode):
        raise NotImplementedError


class TinyModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.objectives = nn.ModuleList([nn.Identity(), Recorder()])

    def forward(self, inputs, mode):
        return dict(loss=self.weight.sum())


def hook(**options):
    return HOOKS.build(dict(type='AlternatingPhaseHook', **options))


def runner_of(*objectives, iteration=0):
    model = SimpleNamespace(objectives=list(objectives))
    return SimpleNamespace(model=model, iter=iteration)


@pytest.fixture
def train(train_with):
    """Train; return the initial letters of the phases."""

    def start(*arguments, **options):
        model, items = TinyModel(), [dict(inputs=torch.ones(1))] * 8
        schedule = dict(type='AlternatingPhaseHook', period=5, first=3)
        train_with(model, schedule, items, *arguments, **options)
        return ''.join(phase[0] for phase in model.objectives[1].phases)

    return start


def test_the_first_iterations_of_a_period_train_probabilities():
    recorder = Recorder()
    for iteration in (0, 79, 80, 99, 100, 179, 180):
        hook().before_train_iter(runner_of(recorder, iteration=iteration), 0)
    assert ''.join(phase[0] for phase in recorder.phases) == 'ppttppt'


def test_a_resumed_run_goes_through_the_phases_of_an_uninterrupted_one(train, tmp_path):
    whole = train('whole', 8)
    assert whole == 'pppttppp'
    train('begun', 4)
    rest = train('resumed', 8, load_from=tmp_path / 'begun/iter_4.pth')
    assert rest == whole[4:]


@pytest.mark.parametrize(('first', 'phase'), [(0, 'threshold'), (4, 'probability')])
def test_a_period_can_have_a_single_phase(first, phase):
    recorder = Recorder()
    for iteration in range(8):
        runner = runner_of(recorder, iteration=iteration)
        hook(period=4, first=first).before_train_iter(runner, 0)
    assert set(recorder.phases) == {phase}


@pytest.mark.parametrize('options', [dict(period=0), dict(first=101), dict(first=-1)])
def test_a_phase_longer_than_the_period_is_refused(options):
    with pytest.raises(ValueError, match='period must be >= 1 and first in'):
        hook(**options)


def test_a_model_without_phases_is_an_error_before_the_training():
    with pytest.raises(UserInputError, match='no objective of the model has phases'):
        hook().before_train(runner_of(nn.Identity()))


@pytest.fixture
def one_process_group():
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_a_distributed_run_must_allow_unused_parameters(one_process_group):
    strict = MMDistributedDataParallel(TinyModel())
    with pytest.raises(UserInputError, match='find_unused_parameters=True'):
        hook().before_train(SimpleNamespace(model=strict))
    lenient = MMDistributedDataParallel(TinyModel(), find_unused_parameters=True)
    hook().before_train(SimpleNamespace(model=lenient))
    hook().before_train_iter(SimpleNamespace(model=lenient, iter=0), 0)
    assert lenient.module.objectives[1].phases == ['probability']
