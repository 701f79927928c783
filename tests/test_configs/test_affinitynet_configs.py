"""Configs of AffinityNet: the network that walks is the one that was trained."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsss.engine.pipeline.stages import is_pipeline, load_stages

ROOT = Path(__file__).parents[2] / 'configs'


def walks():
    """Pipelines with a walk: their stages and, by config key, the parts that take a checkpoint."""
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


# Weights would load even if the normalisation or the radius differed.
@pytest.mark.parametrize(('trained', 'refiner'), list(walks()))
def test_the_network_that_walks_is_the_one_that_was_trained(trained, refiner):
    assert refiner.network == trained
