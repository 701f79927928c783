import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.campaign import Campaign, Command, total
from faults.warm import PATIENCE, ROOT

CONFIGS = Path(__file__).parent / 'configs'
_CAMPAIGNS = pytest.StashKey[list[Campaign]]()
_IN_PART = pytest.StashKey[set[Path]]()  # files with deselected tests


@pytest.fixture(scope='session')
def tiny_data(tmp_path_factory):
    """Folder to set MMWSSS_DATA to: four training and two validation images of shapes."""
    root = tmp_path_factory.mktemp('tiny')
    tool = ROOT / 'tools/dataset_converters/make_shapes.py'
    sizes = ['--train', '4', '--val', '2', '--size', '48']
    command = [sys.executable, tool, root / 'shapes', *sizes]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    subprocess.run(command, check=True, timeout=PATIENCE, env=environment)
    return root


@pytest.fixture(scope='module')
def labels(warm, tiny_data, tmp_path_factory):
    """The command that makes the labels of a classifier, which is trained first."""
    scratch = tmp_path_factory.mktemp('labels')
    config = CONFIGS / 'tiny-warmup.py'
    training = ['tools/train.py', config, '--work-dir', scratch / 'trained']
    trained = warm.run(training, environment=dict(MMWSSS_DATA=tiny_data))
    assert trained.code == 0, trained.output[-3000:]
    tool = ['tools/generate_pseudo_labels.py', config, scratch / 'trained/iter_6.pth', '--work-dir']
    return Command(
        warm,
        lambda folder: [*tool, folder, '--out-dir', folder / 'labels'],
        tiny_data,
        scratch / 'trials',
        stamps=True,
    )


@pytest.fixture
def report(request):
    """Keep a finished campaign; its counts are printed after all tests."""
    return request.config.stash.setdefault(_CAMPAIGNS, []).append


def pytest_deselected(items):
    for item in items:
        item.config.stash.setdefault(_IN_PART, set()).add(item.path)


@pytest.fixture
def reported(request):
    """Count the trials reported so far by all campaigns whose name starts like this.

    Skips the test if only some tests of its file were selected, by name or -k.
    """
    stash = request.config.stash
    named = any('::' in argument for argument in request.config.args)
    if named or request.path in stash.get(_IN_PART, set()):
        pytest.skip('only some tests of this file were chosen')
    campaigns = stash.get(_CAMPAIGNS, [])
    return lambda what: sum(c.trials for c in campaigns if c.what.startswith(what))


def pytest_terminal_summary(terminalreporter, config):
    campaigns = config.stash.get(_CAMPAIGNS, [])
    if campaigns:
        terminalreporter.section('faults')
    for what in dict.fromkeys(campaign.what for campaign in campaigns):
        terminalreporter.write_line(total(what, campaigns).counts)
