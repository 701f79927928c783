from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmwsss.registry import MODELS, PARAM_SCHEDULERS

CONFIGS = Path(__file__).parents[2] / 'configs' / 'affinitynet'
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
