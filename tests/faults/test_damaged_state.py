"""A damaged file in a work folder is repaired by running again, or named in one line."""

import shutil

import pytest

from faults.campaign import Campaign, Command, traceback
from faults.conftest import CONFIGS
from faults.contents import contents, differences
from faults.damage import damages_of

pytestmark = pytest.mark.slow

# Damage that may stay, because the file is still valid: versions are only informative.
_HARMLESS = ('an extra key', 'a key twice', 'versions')


@pytest.fixture(scope='module')
def pipeline(warm, tiny_data, tmp_path_factory):
    tool = ['tools/train.py', CONFIGS / 'erasing_tiny.py', '--verbose', '--work-dir']
    scratch = tmp_path_factory.mktemp('state') / 'trials'
    return Command(warm, lambda folder: [*tool, folder], tiny_data, scratch)


@pytest.fixture(scope='module')
def moments(pipeline):
    """Copies of a work folder at two moments: when finished, and during the second training."""
    folder = pipeline.scratch / 'work'
    half = next(i for i, c in enumerate(pipeline.changes) if 'classifier/' in c and 'iter_3' in c)
    assert pipeline.run(folder, change=half).code == -9
    folder.rename(pipeline.scratch / 'half')
    assert pipeline.run(folder).code == 0
    folder.rename(pipeline.scratch / 'finished')
    return dict(half=pipeline.scratch / 'half', finished=pipeline.scratch / 'finished')


@pytest.mark.parametrize(
    ('moment', 'name'),
    [
        ('finished', 'labels/stage.json'),
        ('finished', 'labels/labels/manifest.json'),
        ('finished', 'labels/labels/low/train_00001.png'),
        ('finished', 'labels/labels/low_scores/train_00001.npz'),
        ('finished', 'labels/labels/low_proportions.npz'),
        ('finished', 'classifier/iter_4.pth'),
        ('finished', 'contents.json'),
        ('half', 'classifier/started.json'),
        ('half', 'classifier/last_checkpoint'),
        ('half', 'classifier/iter_2.pth'),
    ],
)
def test_a_damaged_file_is_repaired_or_named(pipeline, moments, report, moment, name):
    campaign = Campaign('damaged files in a work folder')
    for damage, function in damages_of(moments[moment] / name):
        folder = pipeline.scratch / 'work'
        shutil.copytree(moments[moment], folder, symlinks=True)
        function(folder / name)
        _run_again(campaign, pipeline, name, damage)
        shutil.rmtree(folder)
    report(campaign)
    campaign.check()


def _run_again(campaign, pipeline, name, damage):
    campaign.trials += 1
    folder, where = pipeline.scratch / 'work', f'with {name}: {damage}'
    run = pipeline.run(folder, '--resume')
    campaign.fail('tracebacks', where, traceback(run.output))
    if run.code == 2 and name.rpartition('/')[2] in run.stderr.splitlines()[-1]:
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
        run = pipeline.run(folder, '--resume')
    if run.code != 0:
        campaign.fail('wrong', where, f'exit code {run.code}: {run.output[-300:]}')
    left = [
        line
        for line in differences(contents(folder), pipeline.wanted)
        if not (line.startswith(name) and any(word in damage for word in _HARMLESS))
    ]
    campaign.fail('wrong', where, left)
