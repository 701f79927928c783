"""Configs of Spatial-BCE contain the published settings, and rounds pass on their files."""

from collections import defaultdict
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch.nn.modules.batchnorm import _BatchNorm

from mmwsss.engine.pipeline.stages import load_stages
from mmwsss.models.objectives import MultiLabelSoftMargin
from mmwsss.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture
def config():
    return Config.fromfile(CONFIGS / 'spatial_bce/sbce_resnet38_voc12-369x369.py')


@pytest.fixture
def model(config):
    """The classifier without memory for its weights, which no test here reads."""
    with torch.device('meta'):
        return MODELS.build(config.model).train()


def test_every_trained_tensor_has_the_published_rate_and_decay(config, model):
    names = {id(value): name for name, value in model.named_parameters()}
    found = defaultdict(list)
    for group in build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups:
        assert group['momentum'] == 0.9
        for value in group['params']:
            if value.requires_grad:
                found[round(group['lr'], 9), group['weight_decay']].append(names[id(value)])
    # As published: 35 convolutions, 22 new ones (20 of them are stacked here), 20 temperatures.
    assert set(found) == {(0.001, 5e-4), (0.01, 5e-4), (0.01, 0)}
    assert len(found[0.001, 5e-4]) == 35
    assert all(name.startswith('backbone.') for name in found[0.001, 5e-4])
    assert found[0.01, 0] == ['head.context.log_temperature']
    assert sorted(found[0.01, 5e-4]) == [
        'head.classifier.weight',
        'head.context.reduction.weight',
        'head.context.threshold.weight',
    ]


def test_normalisations_and_first_blocks_are_frozen(model):
    assert not any(part.training for part in model.modules() if isinstance(part, _BatchNorm))
    frozen = {
        n for n, v in model.backbone.named_parameters() if not v.requires_grad and 'conv' in n
    }
    assert {name.split('.')[0] for name in frozen} >= {'conv1a', 'b2', 'b2_1', 'b2_2'}
    assert (model.backbone.b6.dropout.p, model.backbone.b7.dropout.p) == (0.3, 0.5)


def test_the_first_classifier_is_a_round_with_another_loss(config, model):
    first = Config.fromfile(CONFIGS / 'spatial_bce/sbce-init_resnet38_voc12-448x448.py')
    with torch.device('meta'):
        classifier = MODELS.build(first.model)
    assert {name: value.shape for name, value in classifier.state_dict().items()} == {
        name: value.shape for name, value in model.state_dict().items()
    }
    assert config.load_new == ()
    assert [type(objective) for objective in classifier.objectives] == [MultiLabelSoftMargin]
    groups = build_optim_wrapper(classifier, first.optim_wrapper).optimizer.param_groups
    rates = {
        (round(group['lr'], 9), group['weight_decay'])
        for group in groups
        if any(value.requires_grad for value in group['params'])
    }
    assert rates == {(0.001, 5e-4), (0.01, 5e-4)}


@pytest.mark.parametrize(
    ('name', 'first'),
    [
        ('sbce_voc', 'seed_crf'),
        ('sbce-walk_voc', 'low'),
        ('sbce_mobilenet-v2_voc', 'seed_crf'),
        ('sbce-walk_mobilenet-v2_voc', 'seed_crf'),
    ],
)
def test_every_round_takes_weights_and_proportions_of_the_one_before(name, first):
    stages = load_stages(Config.fromfile(CONFIGS / f'{name}.py'))
    rounds = [stage for stage in stages if stage.name.startswith('round')]
    assert rounds
    before = 'classifier'
    for index, stage in enumerate(rounds):
        label = first if index == 0 else 'seed_crf'
        assert stage.takes == {
            'load_from': f'{before}.checkpoint',
            'train_dataloader.dataset.proportion_file': f'labels{index}.{label}_proportions',
        }
        before = stage.name
