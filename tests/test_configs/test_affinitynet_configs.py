from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmwsss.engine.pipeline.stages import is_pipeline, load_stages
from mmwsss.registry import MODELS, PARAM_SCHEDULERS

ROOT = Path(__file__).parents[2] / 'configs'
CONFIGS = ROOT / 'affinitynet'
BASE = 0.01


def optimizer_of(name):
    """Optimiser and schedule of a config; tensors without memory are enough."""
    config = Config.fromfile(CONFIGS / f'{name}.py')
    with torch.device('meta'):
        model = MODELS.build(config.model)
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    (options,) = config.param_scheduler
    return optimizer, PARAM_SCHEDULERS.build({**options, 'optimizer': optimizer})


# (learning rate over the base, weight decay): number of tensors. A weight of the backbone, a bias
# of it, a new weight; nothing new has a bias but the normalisations of VGG16's branches.
@pytest.mark.parametrize(
    ('name', 'groups'),
    [
        ('psa-cam_resnet38_voc12-448x448', {(1, 5e-4): 35, (10, 5e-4): 1}),
        ('psa-cam_vgg16_voc12-448x448', {(1, 5e-4): 11, (2, 0): 11, (10, 5e-4): 1}),
        ('psa-affinity_resnet38_voc12-448x448', {(1, 5e-4): 35, (10, 5e-4): 4}),
        ('psa-affinity_vgg16_voc12-448x448', {(1, 5e-4): 14, (2, 0): 14, (10, 5e-4): 4}),
    ],
)
def test_every_trained_tensor_has_the_published_rate_and_decay(name, groups):
    optimizer, _ = optimizer_of(name)
    found = Counter()
    for group in optimizer.optimizer.param_groups:
        assert group['momentum'] == 0.9
        trained = sum(parameter.requires_grad for parameter in group['params'])
        found[round(group['lr'] / BASE, 6), group['weight_decay']] += trained
    assert +found == groups


@pytest.mark.parametrize(
    ('name', 'steps'),
    [
        ('psa-cam_resnet38_voc12-448x448', 9915),
        ('psa-affinity_resnet38_voc12-448x448', 10576),
    ],
)
def test_the_rate_falls_with_the_power_of_what_is_left(name, steps):
    optimizer, schedule = optimizer_of(name)
    group = optimizer.optimizer.param_groups[0]
    for step in range(steps):
        if step in (0, 1, 5000, steps - 1):
            expected = group['initial_lr'] * (1 - step / steps) ** 0.9
            assert group['lr'] == pytest.approx(expected, rel=1e-6)
        schedule.step()


def walks():
    """Pipelines with a walk: their stages and, by config key, what takes a network's checkpoint."""
    for path in sorted(ROOT.glob('**/*.py')):
        if '_base_' in path.parts or 'refiners' not in path.read_text():
            continue
        config = Config.fromfile(path)
        if not is_pipeline(config):
            continue
        stages = {stage.name: stage for stage in load_stages(config)}
        for stage in stages.values():
            for key, source in stage.takes.items():
                if key.endswith('.checkpoint') and '.refiners.' in key:
                    yield pytest.param(
                        stages[source.split('.')[0]].config.model,
                        part(stage.config, key.removesuffix('.checkpoint')),
                        id=f'{path.stem}-{stage.name}',
                    )


def part(config, key):
    for name in key.split('.'):
        config = config[int(name)] if name.isdigit() else config[name]
    return config


# Weights would load all the same if only the normalisation or the radius differed.
@pytest.mark.parametrize(('trained', 'refiner'), list(walks()))
def test_the_network_that_walks_is_the_one_that_was_trained(trained, refiner):
    assert refiner.network == trained
