"""Label making killed at any point continues and ends with the same files."""

import os
import shutil
import signal

import pytest

from faults.campaign import Campaign, kill_and_go_on

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ('action', 'first', 'every'), [('SIGKILL', 0, 1), ('SIGTERM', 0, 2), ('SIGINT', 1, 2)]
)
def test_labels_killed_at_a_change_of_a_file_are_completed(labels, report, action, first, every):
    campaign = Campaign('kills of label making')
    for change in range(first, len(labels.changes), every):
        kill_and_go_on(campaign, labels, change, action)
    report(campaign)
    campaign.check()


def test_labels_of_other_settings_that_were_killed_are_not_taken_for_finished(labels, report):
    campaign = Campaign('kills of label making with other settings between two runs')
    folder = labels.scratch / 'work'
    other = ('--cfg-options', 'test_cfg.generator.labels.low.background.alpha=3')
    assert labels.run(folder).code == 0
    assert labels.run(folder, *other, change=-1).code == 0
    changes = len(labels.trace(folder))
    assert labels.run(folder).code == 0
    for change in range(0, changes, 6):
        campaign.trials += 1
        where = f'other settings killed at {change}'
        run = labels.run(folder, *other, change=change)
        campaign.fail('orphans', where, run.orphans())
        assert run.code == -signal.SIGKILL, run.output[-3000:]
        labels.resumed(campaign, folder, where)
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()


@pytest.mark.parametrize('sign', [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize('files', [0, 1, 8])
def test_refinement_processes_end_with_a_killed_parent(labels, report, sign, files):
    campaign = Campaign('kills of label making with refinement processes')
    campaign.trials += 1
    folder, where = labels.scratch / 'work', f'{sign.name} after {files} files'
    run = labels.start(folder, '--cfg-options', 'test_cfg.num_workers=2')

    def made():
        return len(run.alive()) >= 2 and len(list(folder.glob('labels/*/*.*'))) >= files

    assert run.until(made) and run.poll() is None, run.output[-3000:]
    run.kill(sign, group=sign == signal.SIGINT)  # a terminal sends Ctrl-C to all of them
    assert run.wait() != 0
    campaign.fail('orphans', where, run.orphans())
    run.end()
    if sign == signal.SIGINT and 'Traceback' in run.output:
        campaign.fail('tracebacks', where, run.output[-1500:])
    labels.resumed(campaign, folder, where)
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()


def test_a_refinement_process_that_dies_ends_the_run_and_loses_nothing(labels, report):
    campaign = Campaign('kills of a refinement process')
    campaign.trials += 1
    folder, where = labels.scratch / 'work', 'a refinement process killed'
    run = labels.start(folder, '--cfg-options', 'test_cfg.num_workers=2')
    assert run.until(lambda: len(list(folder.glob('labels/*/*.*'))) >= 1 and run.alive())
    os.kill(max(run.alive()), signal.SIGKILL)
    if run.wait() == 0:  # its last job was already done
        campaign.fail(
            'wrong', where, [] if labels.contents(folder) == labels.wanted else 'other files'
        )
    campaign.fail('orphans', where, run.orphans())
    labels.resumed(campaign, folder, where)
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()


def test_a_full_disk_is_said_in_one_line_and_labels_go_on_when_it_has_space(labels, report):
    campaign = Campaign('full disks during label making')
    for change in range(0, len(labels.changes), 4):
        kill_and_go_on(campaign, labels, change, 'full')
    report(campaign)
    campaign.check()


def test_label_making_was_killed_at_least_100_times(reported):
    assert reported('kills of label making') >= 100
