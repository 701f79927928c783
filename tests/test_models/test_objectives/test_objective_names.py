import pytest
import torch
from mmseg.structures import SegDataSample

from mmwsss.models.objectives.names import add_losses, objective_name
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError


@pytest.fixture
def classifier(tiny_classifier):
    return lambda *objectives: MODELS.build(tiny_classifier(*objectives, num_classes=2))


def losses(model):
    sample = SegDataSample()
    sample.gt_score = torch.ones(2)
    torch.manual_seed(0)
    return model.eval().loss(torch.zeros(1, 3, 64, 64), [sample])


SOFT_MARGIN = dict(type='MultiLabelSoftMargin')


def test_equal_losses_of_two_objectives_are_numbered_and_both_count(classifier):
    both = losses(classifier(SOFT_MARGIN, dict(SOFT_MARGIN, loss_weight=3.0)))
    assert list(both) == ['loss_multi_label', 'loss_multi_label_1']
    assert both['loss_multi_label_1'] == 3 * both['loss_multi_label']


def test_losses_of_an_objective_with_a_name_end_in_it(classifier):
    both = losses(classifier(dict(SOFT_MARGIN, name='late'), SOFT_MARGIN))
    assert list(both) == ['loss_multi_label_late', 'loss_multi_label']


def test_a_number_that_is_taken_is_passed_over():
    summed = dict(loss=1, loss_1=2)
    add_losses(summed, dict(loss=3), None)
    assert summed == dict(loss=1, loss_1=2, loss_2=3)


def test_an_objective_is_called_by_its_name_or_else_its_type(classifier):
    model = classifier(dict(SOFT_MARGIN, name='late'), SOFT_MARGIN)
    assert [objective_name(one) for one in model.objectives] == ['late', 'MultiLabelSoftMargin']


@pytest.mark.parametrize(
    ('name', 'message'),
    [('late', "two are called 'late'"), ('a b', 'not a word'), (3, 'not a word'), ('', 'not a wo')],
)
def test_a_name_is_a_word_and_belongs_to_one_objective(classifier, name, message):
    with pytest.raises(UserInputError, match=message):
        classifier(dict(SOFT_MARGIN, name='late'), dict(SOFT_MARGIN, name=name))
