"""Configs of RCA contain the published settings."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmwsss.engine.pipeline.stages import load_stages
from mmwsss.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
VGG16 = 'rca/rca_vgg16_voc12-368x368'
RESNET38 = 'rca/rca_resnet38_voc12-368x368'
BRANCHES = 'rca/rca-branches_vgg16_voc12-368x368'
MINI = 'mobilenet-v2_voc12-mini-320x320'
ABLATION = [f'cam/cam_{MINI}', f'rca/rca-contrast_{MINI}', f'rca/rca_{MINI}']
EPOCH = 1323  # batches of 8 of 10582 images


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def build(config):
    """The model without memory for its weights, which no test here reads."""
    with torch.device('meta'):
        return MODELS.build(config)


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('rca*_voc.py')), ids=lambda path: path.stem)
def test_what_a_pipeline_takes_is_given_by_an_earlier_stage(path):
    assert len(load_stages(Config.fromfile(path))) >= 3


def learning_rates(config):
    """Learning rate of every trained parameter, relative to that of the backbone."""
    model = build(config.model)
    optimizer = build_optim_wrapper(model, config.optim_wrapper).optimizer
    assert optimizer.defaults['nesterov']
    assert {group['weight_decay'] for group in optimizer.param_groups} == {5e-4}
    rates = {id(group['params'][0]): group['lr'] for group in optimizer.param_groups}
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return {name: round(rates[id(value)] / 1e-3, 6) for name, value in trained.items()}


@pytest.mark.parametrize('name', [VGG16, RESNET38, BRANCHES])
def test_new_layers_learn_ten_times_as_fast_and_biases_twice(name):
    for parameter, rate in learning_rates(load(name)).items():
        is_new = not parameter.startswith('backbone')
        if parameter.startswith(('head.context.projections', 'head.context.reduction')):
            is_new = False  # as published
        is_bias = parameter.endswith('.bias')
        assert rate == (10 if is_new else 1) * (2 if is_bias else 1), parameter


@pytest.mark.parametrize('name', [VGG16, RESNET38, BRANCHES])
def test_parts_begin_with_the_published_epochs(name):
    begins = {
        hook.get('objective', hook.type): hook.begin / EPOCH
        for hook in load(name).custom_hooks
        if 'begin' in hook
    }
    published = {'RegionContrast': 2, 'RegionCentroidsHook': 1}
    assert begins == published | ({'TrainingCAMs': 1} if name == BRANCHES else {})


def test_the_published_architecture_has_the_published_number_of_parameters():
    model = build(load(BRANCHES).model)
    assert sum(value.numel() for value in model.parameters()) == pytest.approx(169.7e6, abs=5e4)
    memory, context = model.objectives[2].memory, model.head.context
    assert memory.slots.shape == (20, 500, 512)
    assert context.centroids.shape == (20, 10, 512)
    assert context.scale == 2


def test_saliency_comes_after_the_crf():
    labels = load('rca/rca-saliency_vgg16_voc12').test_cfg.generator.labels
    assert [labels[name].get('start') for name in labels] == [None, 'seed', 'seed_crf']
    assert labels.saliency.labeler.type == 'ConflictLabeler'
    assert labels.seed == load(VGG16).test_cfg.generator.labels.seed


def test_the_ablation_differs_in_context_and_objectives_alone():
    configs = [load(name)._cfg_dict.to_dict() for name in ABLATION]
    objectives, contexts, begins = [], [], []
    for config in configs:
        head = config['model']['head']
        head.pop('in_channels')
        contexts.append((head.pop('context', None) or {}).get('type'))
        objectives.append([cfg.pop('type') for cfg in config['model'].pop('objectives')])
        hooks = config.pop('custom_hooks')
        begins.append([hook['begin'] for hook in hooks if 'begin' in hook])
    assert contexts == [None, None, 'SemanticAggregation']
    assert [len(names) for names in objectives] == [1, 2, 3]
    assert begins == [[], [84], [84, 42]]
    variables = {'context', 'objectives'}  # of a config, not read otherwise
    rest = [{k: v for k, v in config.items() if k not in variables} for config in configs]
    assert all(config == rest[0] for config in rest[1:])


@pytest.mark.parametrize(
    ('classifier', 'labels'),
    [
        (f'rca/rca_{MINI}', f'rca/rca-labels_{MINI}'),
        (VGG16, 'rca/rca-saliency_vgg16_voc12'),
        (RESNET38, 'rca/rca-saliency_resnet38_voc12'),
    ],
)
def test_labels_are_made_by_the_network_that_was_trained(classifier, labels):
    trained, used = (build(load(name).model).state_dict() for name in (classifier, labels))
    network = {name: value.shape for name, value in used.items() if 'objectives' not in name}
    assert network == {n: v.shape for n, v in trained.items() if 'objectives' not in n}
