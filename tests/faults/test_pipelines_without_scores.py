"""Kept scores that a pipeline deletes: stages stay finished, and scores come back when needed."""

import json
import shutil

import pytest

from faults.campaign import Campaign, Command
from faults.conftest import CONFIGS

pytestmark = pytest.mark.slow
STAGES = ('classifier', 'seeds', 'affinity', 'stored')
SCORES = 'seeds/labels/low_scores'


@pytest.fixture(scope='module')
def pipeline(warm, tiny_data, tmp_path_factory):
    tool = ['tools/train.py', CONFIGS / 'scores_tiny.py', '--delete-scores', '--work-dir']
    scratch = tmp_path_factory.mktemp('scores') / 'trials'
    return Command(warm, lambda folder: [*tool, folder], tiny_data, scratch)


@pytest.fixture
def folder(pipeline):
    """A copy of what the undisturbed run left."""
    folder = pipeline.scratch / 'work'
    shutil.copytree(pipeline.scratch / 'reference', folder)
    yield folder
    shutil.rmtree(folder)


def started(run):
    assert run.code == 0 and 'Traceback' not in run.output, run.output[-3000:]
    return [stage for stage in STAGES if f': {stage}\n' in run.stdout]


def labels(contents):
    return {name: text for name, text in contents.items() if name.endswith('.png')}


def files(folder):
    return sorted(path.name for path in (folder / SCORES).iterdir())


def test_scores_are_deleted_and_nothing_runs_again(pipeline, folder):
    assert files(folder) == ['deleted.json']
    note = json.loads((folder / SCORES / 'deleted.json').read_text())
    assert len(note) == 4 and all(name.endswith('.npz') for name in note)
    assert started(pipeline.run(folder, '--resume')) == []
    assert labels(pipeline.contents(folder)) == labels(pipeline.wanted)


def test_a_stage_that_needs_deleted_scores_has_them_made_again(pipeline, folder):
    option = 'stored.test_cfg.generator.labels.stored.background.threshold=0.5'
    run = pipeline.run(folder, '--resume', '--cfg-options', option)
    assert started(run) == ['seeds', 'stored']
    line = "stage 'stored' needs deleted scores: stage 'seeds' makes them again"
    assert run.stdout.count(line) == 1
    assert files(folder) == ['deleted.json']
    assert started(pipeline.run(folder, '--cfg-options', option)) == []
    # The scores are the same as before: other stages that took them are still finished.
    assert started(pipeline.run(folder)) == ['seeds', 'stored']
    assert labels(pipeline.contents(folder)) == labels(pipeline.wanted)


def test_a_label_that_is_lost_is_made_again_without_all_the_scores(pipeline, folder):
    min((folder / 'seeds/labels/seed').iterdir()).unlink()
    assert started(pipeline.run(folder)) == ['seeds']
    min((folder / 'stored/labels/stored').iterdir()).unlink()
    assert started(pipeline.run(folder)) == ['seeds', 'stored']
    assert labels(pipeline.contents(folder)) == labels(pipeline.wanted)


def test_scores_of_other_settings_replace_those_that_were_deleted(pipeline, folder):
    option = ('--cfg-options', 'seeds.test_cfg.generator.labels.low.background.alpha=2')
    assert started(pipeline.run(folder, *option)) == ['seeds', 'affinity', 'stored']
    assert files(folder) == ['deleted.json']


def test_deleted_scores_are_not_made_by_a_stage_that_is_not_to_run(pipeline, folder):
    option = 'stored.test_cfg.generator.labels.stored.background.threshold=0.5'
    run = pipeline.run(folder, '--stages', 'stored', '--cfg-options', option)
    assert run.code == 2
    assert "stage 'stored' needs scores of stage 'seeds', which were deleted" in run.output
    assert started(pipeline.run(folder)) == []


def test_a_pipeline_killed_while_it_deletes_goes_on(pipeline, report):
    campaign = Campaign('kills while scores are deleted')
    changes = [n for n, change in enumerate(pipeline.changes) if SCORES in change]
    deleting = [n for n in changes if 'deleted.json' in pipeline.changes[n]]
    folder = pipeline.scratch / 'killed'
    for change in range(deleting[0], changes[-1] + 1):
        campaign.trials += 1
        where = f'killed at {pipeline.changes[change]!r}'
        assert pipeline.run(folder, change=change).code != 0
        run = pipeline.resumed(campaign, folder, where, '--resume')
        campaign.fail('losses', where, started(run))
        shutil.rmtree(folder)
    assert campaign.trials >= 5
    report(campaign)
    campaign.check()
