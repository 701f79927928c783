"""A rank that dies ends the run on all ranks, and the same command continues."""

import os
import shutil
import signal
import time

import pytest

from faults.campaign import Campaign, Command, traceback
from faults.conftest import CONFIGS
from faults.warm import ROOT, rank_environments

pytestmark = pytest.mark.slow
_PROMISED = 30  # seconds within which the other rank must end


@pytest.fixture(scope='module')
def pipeline(warm, tiny_data, tmp_path_factory):
    tool = ['tools/train.py', CONFIGS / 'erasing_tiny.py', '--verbose', '--work-dir']
    scratch = tmp_path_factory.mktemp('ranks-pipeline') / 'trials'
    return Command(warm, lambda folder: [*tool, folder], tiny_data, scratch)


def start_ranks(command, folder, *more, dies=None, change=None):
    """Start two ranks, one of which may die at one of its changes."""
    return [
        command.start(
            folder,
            *('--launcher', 'pytorch', *more),
            change=change if rank == dies else None,
            environment=environment,
        )
        for rank, environment in enumerate(rank_environments(2))
    ]


def check_both_end(campaign, runs, dies, where):
    runs[dies].wait()
    died = time.monotonic()
    survivor = runs[1 - dies]
    if not survivor.until(lambda: False, _PROMISED):
        campaign.fail('wrong', where, f'the other rank runs on after {_PROMISED} s')
    elif survivor.code == 0:
        campaign.fail('wrong', where, 'the other rank ended with exit code 0')
    for run in runs:
        run.end()
        campaign.fail('orphans', where, run.orphans())
    return time.monotonic() - died


@pytest.mark.parametrize('dies', [0, 1])
@pytest.mark.parametrize('change', [0, 5, 12])
def test_labels_of_two_ranks_of_which_one_is_killed_are_completed(labels, report, dies, change):
    campaign = Campaign('kills of one of two ranks')
    campaign.trials += 1
    folder, where = labels.scratch / 'work', f'rank {dies} killed at {change}'
    runs = start_ranks(labels, folder, dies=dies, change=change)
    check_both_end(campaign, runs, dies, where)
    labels.resumed(campaign, folder, where)
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()


@pytest.mark.parametrize('dies', [0, 1])
def test_a_pipeline_on_two_ranks_of_which_one_is_killed_goes_on(pipeline, report, dies):
    campaign = Campaign('kills of one of two ranks')
    campaign.trials += 1
    folder, where = pipeline.scratch / 'work', f'rank {dies} killed in a training'
    runs = start_ranks(pipeline, folder)
    assert runs[dies].until((folder / 'classifier/iter_2.pth').exists)
    runs[dies].kill(signal.SIGKILL)
    check_both_end(campaign, runs, dies, where)
    runs = start_ranks(pipeline, folder, '--resume')
    codes = [run.wait() for run in runs]
    if codes != [0, 0]:
        campaign.fail('wrong', where, f'exit codes {codes}: {runs[0].output[-500:]}')
    # Two ranks see different batches, so their weights differ from those of one. The files do not.
    files = {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}
    campaign.fail('wrong', where, sorted(pipeline.wanted.keys() - files))
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()


def test_the_launcher_ends_all_ranks_when_one_is_killed(pipeline, tmp_path, report):
    campaign = Campaign('kills of one of two ranks')
    campaign.trials += 1
    folder, where = pipeline.scratch / 'work', 'a rank of the launcher killed'
    tool, *arguments = pipeline.arguments(folder)
    launcher = ['tools/launch_ranks.py', '--standalone', '--nproc_per_node=2']
    run = pipeline.warm.start(
        [*launcher, ROOT / tool, *arguments, '--launcher', 'pytorch'],
        environment=dict(MMWSSS_DATA=pipeline.data, PYTHONPATH=ROOT),
        logs=tmp_path,
    )
    assert run.until((folder / 'classifier/iter_1.pth').exists), run.output[-3000:]
    ranks = run.alive()
    assert len(ranks) == 2, run.output[-3000:]
    os.kill(max(ranks), signal.SIGKILL)
    if run.wait(_PROMISED) == 0:
        campaign.fail('wrong', where, 'exit code 0')
    campaign.fail('tracebacks', where, traceback(run.output))
    campaign.fail('orphans', where, run.orphans())
    run.end()
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()
