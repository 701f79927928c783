import pytest
from mmengine.config import Config
from torch import nn

from mmwsss.engine.compilation import compile_backbone
from mmwsss.structures import UserInputError


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2)


def compiled(value, model=None):
    return compile_backbone(model or Model(), Config(dict(compile=value)))


def test_it_is_asked_for_by_true_or_by_options():
    assert not compile_backbone(Model(), Config())
    assert not compiled(None)
    assert not compiled(False)
    assert compiled(True)
    assert compiled(dict(backend='eager'))


def test_names_in_checkpoints_stay():
    model = Model()
    names = list(model.state_dict())
    compiled(dict(backend='eager'), model)
    assert list(model.state_dict()) == names


@pytest.mark.parametrize(
    'value, words',
    [
        ('always', "compile = 'always': expected True, False or options"),
        (dict(mode='fast'), "compile = {'mode': 'fast'}: .*mode=fast"),
        (dict(backend='none'), "compile = {'backend': 'none'}: .*'none'"),
        (dict(mod='default'), "compile = {'mod': 'default'}: .*'mod'"),
        (dict(dynamic='often'), "compile = {'dynamic': 'often'}: "),
        (dict(options=dict(fast=True)), "compile = {'options': {'fast': True}}: .*fast"),
    ],
)
def test_wrong_options_are_refused(value, words):
    with pytest.raises(UserInputError, match=words) as refused:
        compiled(value)
    assert len(str(refused.value)) < 300


def test_a_model_without_a_backbone_is_refused():
    with pytest.raises(UserInputError, match='a model with a backbone'):
        compiled(True, nn.Linear(2, 2))
