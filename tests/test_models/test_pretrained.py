import pytest
import torch
from faults.checkpoints import NOT_A_MODEL, NOT_READ
from mmengine.logging import MMLogger
from torch import nn

from mmwsss.models.pretrained import Pretrained
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

BACKBONES = {
    'mmseg': dict(type='ResNet', depth=18, base_channels=2, stem_channels=2),
    'mmpretrain': dict(type='mmpretrain.ResNet', depth=18, base_channels=2, stem_channels=2),
}


def backbone(kind, path, **options):
    init = dict(type='Pretrained', checkpoint=str(path), **options)
    return MODELS.build(dict(BACKBONES[kind], init_cfg=init))


@pytest.fixture
def save(tmp_path):
    def to_file(tensors):
        torch.save(dict(state_dict=tensors), tmp_path / 'weights.pth')
        return tmp_path / 'weights.pth'

    return to_file


@pytest.mark.parametrize('kind', BACKBONES)
def test_a_file_from_which_nothing_fits_is_refused(kind, save):
    path = save({'fc.weight': torch.zeros(2, 3)})
    message = r'weights\.pth does not fit ResNet: none of its 60.*conv1\.weight.*1 \(fc\.weight\)'
    with pytest.raises(UserInputError, match=message):
        backbone(kind, path).init_weights()


def test_a_file_in_which_every_shape_differs_is_refused(save):
    tensors = MODELS.build(dict(BACKBONES['mmseg'], base_channels=4, stem_channels=4)).state_dict()
    with pytest.raises(UserInputError, match='none of its 60'):
        backbone('mmseg', save(tensors)).init_weights()


@pytest.mark.parametrize('kind', BACKBONES)
def test_what_fits_is_loaded_and_counted(kind, save, monkeypatch, capsys):
    weight = torch.full((2, 3, 7, 7), 2.0)
    path = save({'conv1.weight': weight, 'fc.weight': torch.zeros(2, 3)})
    monkeypatch.setattr(
        MMLogger, 'get_current_instance', lambda: MMLogger.get_instance(f'pretrained_{kind}')
    )
    model = backbone(kind, path)
    model.init_weights()
    assert torch.equal(model.conv1.weight, weight)
    output = capsys.readouterr()
    lines = [line for line in (output.out + output.err).splitlines() if 'parameters loaded' in line]
    assert len(lines) == 1
    assert 'ResNet: 1 of 60 parameters loaded' in lines[0]
    assert lines[0].endswith('0 differ in shape, 1 are left over in it')


def test_only_what_is_below_a_prefix_counts(save):
    weight = torch.full((2, 3, 7, 7), 2.0)
    path = save({'backbone.conv1.weight': weight})
    model = backbone('mmseg', path, prefix='backbone')
    model.init_weights()
    assert torch.equal(model.conv1.weight, weight)
    for prefix in (None, 'net'):
        with pytest.raises(UserInputError, match='none of its 60'):
            backbone('mmseg', path, prefix=prefix).init_weights()


def test_weights_that_are_not_finite_are_refused(save):
    path = save({'conv1.weight': torch.full((2, 3, 7, 7), torch.nan)})
    with pytest.raises(UserInputError, match=r'NaN or infinite values in 1 \(conv1\.weight\)'):
        backbone('mmseg', path).init_weights()


@pytest.mark.parametrize('kind', [*NOT_READ, *NOT_A_MODEL])
def test_a_file_that_is_no_model_is_refused_in_one_line(kind, save, tmp_path):
    good, wrong = save(MODELS.build(BACKBONES['mmseg']).state_dict()), tmp_path / 'wrong.pth'
    content = torch.load(good)
    torch.save({**content, 'meta': {}}, good)
    {**NOT_READ, **NOT_A_MODEL}[kind](good, wrong)
    with pytest.raises(UserInputError, match=r'wrong\.pth') as error:
        backbone('mmseg', wrong).init_weights()
    assert '\n' not in str(error.value)


def test_names_that_a_network_converts_while_it_loads_count_as_its_own(save):
    layer = nn.Linear(2, 1)
    layer._register_load_state_dict_pre_hook(
        lambda state, *_: state.update({name[3:]: state.pop(name) for name in list(state)})
    )
    path = save({'fc.weight': torch.full((1, 2), 3.0), 'fc.bias': torch.ones(1)})
    Pretrained(checkpoint=str(path))(layer)
    assert layer.weight.tolist() == [[3, 3]]
