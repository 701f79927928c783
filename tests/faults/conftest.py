import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.warm import ROOT

CONFIGS = Path(__file__).parent / 'configs'
_COUNTS = pytest.StashKey[list[str]]()


@pytest.fixture(scope='session')
def tiny_data(tmp_path_factory):
    """Folder to set MMWSSS_DATA to: four training and two validation images of shapes."""
    root = tmp_path_factory.mktemp('tiny')
    tool = ROOT / 'tools/dataset_converters/make_shapes.py'
    sizes = ['--train', '4', '--val', '2', '--size', '48']
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    subprocess.run([sys.executable, tool, root / 'shapes', *sizes], check=True, env=environment)
    return root


@pytest.fixture
def report(request):
    """Keep a line that is printed at the end of all tests, e.g. the counts of a campaign."""
    return request.config.stash.setdefault(_COUNTS, []).append


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(_COUNTS, [])
    if lines:
        terminalreporter.section('faults')
    for line in lines:
        terminalreporter.write_line(line)
