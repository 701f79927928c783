"""What the READMEs recommend for a small GPU is the same training in smaller batches."""

import argparse
import re
from pathlib import Path

import pytest
from mmengine.config import Config, DictAction

ROOT = Path(__file__).parents[2]
COMMANDS = [
    pytest.param(match[1], match[2], id=Path(match[1]).stem)
    for readme in sorted(ROOT.glob('configs/*/README.md'))
    for match in re.finditer(
        r'^python tools/train\.py (\S+) --cfg-options (.*accumulative_counts=.*)$',
        readme.read_text(),
        flags=re.MULTILINE,
    )
]


METHODS = ['affinitynet', 'aeft', 'bana', 'irn', 'rca', 'segmentors', 'spatial_bce']


def counts_of(config):
    """Everything that a config counts in iterations, by key."""
    found = {f'train_cfg.{key}': config.train_cfg.get(key) for key in ('max_iters', 'val_interval')}
    for i, schedule in enumerate(config.param_scheduler):
        end = schedule.get('end')
        # mmengine's decay is complete one iteration before its end.
        found[f'schedule {i} end'] = end and end - 1
        for j, milestone in enumerate(schedule.get('milestones', ())):
            found[f'schedule {i} milestone {j}'] = milestone
    counted = ('begin', 'interval', 'period', 'first')
    for i, hook in enumerate(config.get('custom_hooks') or ()):
        found |= {f'hook {i} {key}': hook.get(key) for key in counted}
    return {key: count for key, count in found.items() if count is not None}


@pytest.mark.parametrize(('path', 'options'), COMMANDS)
def test_smaller_batches_are_the_published_training(path, options):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    published, small = Config.fromfile(ROOT / path), Config.fromfile(ROOT / path)
    small.merge_from_dict(parser.parse_args(['--cfg-options', *options.split()]).cfg_options)
    times = small.optim_wrapper.accumulative_counts
    assert small.train_dataloader.batch_size * times == published.train_dataloader.batch_size
    assert counts_of(small) == {key: times * n for key, n in counts_of(published).items()}


@pytest.mark.parametrize('folder', METHODS)
def test_every_recipe_says_how_it_runs_on_one_gpu(folder):
    assert any(f'configs/{folder}/' in command.values[0] for command in COMMANDS)
