import logging

import pytest
import torch
from faults.checkpoints import MISFITS, NOT_A_MODEL, NOT_READ
from mmengine.logging import MMLogger
from mmengine.model import BaseTTAModel
from torch import nn

from mmwsss.models.checkpoint_fit import compare, load_fitting, read_checkpoint
from mmwsss.structures import UserInputError


def network():
    """Eight tensors: 6 parameters and buffers of the backbone, a counter, 1 weight of the head."""
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3, bias=True), nn.BatchNorm2d(4))
    head = nn.ModuleDict(dict(classifier=nn.Conv2d(4, 2, 1, bias=False)))
    return nn.ModuleDict(dict(backbone=backbone, head=head))


@pytest.fixture
def good(tmp_path):
    path = tmp_path / 'good.pth'
    torch.save(dict(meta=dict(iter=4), state_dict=network().state_dict()), path)
    return path


@pytest.fixture
def log(monkeypatch):
    """Lines that are logged while a file is loaded."""
    logger, lines = MMLogger.get_instance('fit'), []
    monkeypatch.setattr(MMLogger, 'get_current_instance', lambda: logger)
    monkeypatch.setattr(logger, 'handlers', [logging.Handler()])
    monkeypatch.setattr(
        logger.handlers[0], 'emit', lambda record: lines.append(record.getMessage())
    )
    return lines


def load(module, path, **options):
    load_fitting(module, read_checkpoint(str(path)), str(path), **options)


def test_names_are_compared_with_their_shapes():
    needed = dict(a=torch.zeros(2), b=torch.zeros(3), c=torch.zeros(1))
    fit = compare(dict(a=torch.ones(2), b=torch.ones(4), d=torch.ones(1)), needed)
    assert (fit.fitting, fit.missing, fit.unexpected) == (('a',), ('c',), ('d',))
    assert fit.different == dict(b='(4,) instead of (3,)')


def test_a_checkpoint_of_the_same_model_is_loaded_whole(good, log):
    module = network()
    load(module, good)
    expected = torch.load(good)['state_dict']
    assert all(torch.equal(value, expected[name]) for name, value in module.state_dict().items())
    assert log[1:] == [f'{good}: 8 of 8 tensors loaded']  # after mmengine's own line


@pytest.mark.parametrize('kind', [*NOT_READ, *NOT_A_MODEL, *MISFITS])
def test_what_does_not_fit_is_refused_in_one_line_and_changes_nothing(kind, good, tmp_path):
    wrong, module = tmp_path / 'wrong.pth', network()
    {**NOT_READ, **NOT_A_MODEL, **MISFITS}[kind](good, wrong)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(UserInputError, match=r'wrong\.pth') as error:
        load(module, wrong)
    assert '\n' not in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_the_message_counts_names_and_says_what_to_do(good, tmp_path):
    wrong = tmp_path / 'wrong.pth'
    MISFITS['head alone'](good, wrong)
    message = (
        r'1 of 7 tensors fit; 6 \(backbone\.0\.weight, backbone\.0\.bias, backbone\.1\.weight, '
        r'\.\.\.\) missing\. Name the checkpoint that this config trained'
    )
    with pytest.raises(UserInputError, match=message):
        load(network(), wrong)


def test_what_is_left_over_is_logged_in_one_line(good, log):
    smaller = nn.ModuleDict(dict(backbone=network()['backbone']))
    load(smaller, good)
    assert log[1:] == [
        f'{good}: 7 of 7 tensors loaded; left over in the file: 1 (head.classifier.weight)'
    ]


@pytest.mark.parametrize('change', ['missing', 'another shape'])
def test_only_parts_that_are_named_as_new_may_be_missing_or_of_another_shape(change, good, log):
    larger = network()
    if change == 'missing':
        larger['head']['threshold'] = nn.Conv2d(4, 2, 1, bias=False)
    else:
        larger['head']['classifier'] = nn.Conv2d(4, 5, 1, bias=False)
    with pytest.raises(UserInputError, match=r'does not fit.*load_new'):
        load(larger, good, new=('backbone.0.',))
    own = larger['head'].state_dict()
    load(larger, good, new=('head.',))
    name = 'threshold' if change == 'missing' else 'classifier'
    assert torch.equal(larger['head'][name].weight, own[f'{name}.weight'])
    assert torch.equal(
        larger['backbone'][0].bias, torch.load(good)['state_dict']['backbone.0.bias']
    )
    assert f'new, so not loaded: 1 (head.{name}.weight)' in log[-1]


def test_a_new_part_that_the_file_has_is_loaded_and_a_config_may_give_a_list(good):
    module = network()
    load(module, good, new=['head.'])
    expected = torch.load(good)['state_dict']['head.classifier.weight']
    assert torch.equal(module['head']['classifier'].weight, expected)


@pytest.mark.parametrize(('new', 'message'), [(('haed.',), "'haed.'"), ('head.', 'a tuple')])
def test_a_prefix_of_no_parameter_is_refused(new, message, good):
    with pytest.raises(UserInputError, match=rf'load_new.*{message}'):
        load(network(), good, new=new)


def test_all_of_a_file_being_new_is_no_fit(good):
    with pytest.raises(UserInputError, match='0 of 1 tensors fit'):
        load(nn.ModuleDict(dict(net=nn.Conv2d(3, 4, 3, bias=False))), good, new=('net.',))


def test_files_of_distributed_runs_of_half_precision_and_without_counters_fit(good, tmp_path):
    state = torch.load(good)['state_dict']
    other = {
        f'module.{name}': value.half() if value.is_floating_point() else value
        for name, value in state.items()
        if not name.endswith('num_batches_tracked')
    }
    torch.save(other, tmp_path / 'other.pth')
    module = network()
    load(module, tmp_path / 'other.pth')
    assert torch.equal(module['backbone'][0].bias, state['backbone.0.bias'].half().float())


def test_what_a_test_time_augmentation_wraps_is_what_must_fit(good, tmp_path):
    class Views(BaseTTAModel):
        def merge_preds(self, data_samples_list):
            """Not called."""

    module = network()
    module.test_step = None  # mmengine requires it
    model = Views(module)
    load(model, good)
    assert torch.equal(
        model.module['backbone'][0].bias, torch.load(good)['state_dict']['backbone.0.bias']
    )
    MISFITS['backbone alone'](good, tmp_path / 'wrong.pth')
    with pytest.raises(UserInputError, match='7 of 8 tensors fit'):
        load(model, tmp_path / 'wrong.pth')


class WithPositions(nn.Module):
    """Crops an embedding of a larger image, and reads its weight under an older name."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(2))
        self.net = nn.Linear(2, 1, bias=False)
        self._register_load_state_dict_pre_hook(self.crop)

    def crop(self, state, prefix, *_):
        name = f'{prefix}positions'
        if name in state:
            state[name] = state[name][: len(self.positions)]
        if f'{prefix}fc.weight' in state:
            state[f'{prefix}net.weight'] = 2 * state.pop(f'{prefix}fc.weight')


@pytest.fixture
def larger(tmp_path):
    path = tmp_path / 'larger.pth'
    state = {'vit.positions': torch.arange(3.0), 'vit.fc.weight': torch.ones(1, 2)}
    torch.save(dict(state_dict=state), path)
    return path


def test_what_a_module_converts_while_it_loads_is_compared_after_that(larger):
    module = nn.ModuleDict(dict(vit=WithPositions()))
    load(module, larger)
    assert module['vit'].positions.tolist() == [0, 1]
    assert module['vit'].net.weight.tolist() == [[2, 2]]
    load(module, larger)  # converts again, but not twice
    assert module['vit'].net.weight.tolist() == [[2, 2]]


def test_what_a_module_renamed_to_another_shape_may_be_new(larger):
    module = nn.ModuleDict(dict(vit=WithPositions()))
    module['vit'].net = nn.Linear(3, 1, bias=False)
    own = module['vit'].net.weight.clone()
    with pytest.raises(UserInputError, match=r'1 \(vit\.net\.weight: \(1, 2\) instead of \(1, 3\)'):
        load(module, larger)
    load(module, larger, new=('vit.net.',))
    assert torch.equal(module['vit'].net.weight, own)
    assert module['vit'].positions.tolist() == [0, 1]


def test_names_are_revised_as_the_caller_asks(good, tmp_path):
    state = torch.load(good)['state_dict']
    other = {name.replace('backbone.', 'body.'): value for name, value in state.items()}
    torch.save(other, tmp_path / 'other.pth')
    module = network()
    load(
        module, tmp_path / 'other.pth', revise_keys=[(r'^body\.', 'trunk.'), ('trunk', 'backbone')]
    )
    assert torch.equal(module['backbone'][0].bias, state['backbone.0.bias'])
