"""A pipeline killed at any point continues and ends with the same labels and weights."""

import shutil
import signal

import pytest

from faults.campaign import Campaign, Command, kill_and_go_on, traceback
from faults.conftest import CONFIGS
from faults.contents import contents, differences

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def pipelines(warm, tiny_data, tmp_path_factory):
    """Return a pipeline by name; its undisturbed run is shared."""
    made = {}

    def pipeline(name):
        if name not in made:
            tool = ['tools/train.py', CONFIGS / f'{name}.py', '--verbose', '--work-dir']
            scratch = tmp_path_factory.mktemp(name) / 'trials'
            made[name] = Command(warm, lambda folder: [*tool, folder], tiny_data, scratch)
        return made[name]

    return pipeline


def picked(changes: list[str], every: int, stage: str = '') -> list[int]:
    """Pick all changes of one stage and some of the rest, except those of single labels."""
    outside = [
        number
        for number, change in enumerate(changes)
        if '/labels/seed/' not in change and '/labels/low' not in change
    ]
    of_stage = [number for number in outside if stage and f' {stage}/' in changes[number]]
    return sorted({*of_stage, *outside[::every]})


@pytest.mark.parametrize(
    ('name', 'every', 'stage', 'action', 'again'),
    [
        # The second training, which starts from the weights of the first, at every change.
        ('erasing_tiny', 9, 'classifier', 'SIGKILL', ('--resume',)),
        ('erasing_tiny', 13, '', 'SIGKILL', ()),
        ('erasing_tiny', 13, '', 'SIGTERM', ('--resume',)),
        ('erasing_tiny', 13, '', 'SIGINT', ('--resume',)),
        ('rounds_tiny', 13, '', 'SIGKILL', ('--resume',)),
        ('erasing_tiny', 17, '', 'full', ('--resume',)),
    ],
)
def test_a_pipeline_killed_at_a_change_of_a_file_goes_on(
    pipelines, report, name, every, stage, action, again
):
    pipeline = pipelines(name)
    campaign = Campaign('full disks in a pipeline' if action == 'full' else 'kills of a pipeline')
    for change in picked(pipeline.changes, every, stage):
        kill_and_go_on(campaign, pipeline, change, action, *again)
    report(campaign)
    campaign.check()


# Moments at which no file changes.
@pytest.mark.parametrize(
    'line',
    [
        ': warmup\n',
        'Iter(train) [3/6]',
        ': classifier\n',
        'Iter(train) [2/4]',
        ': labels\n',
        "labels 'seed' against true masks",
        'per class results',
        'pictures:',
    ],
)
def test_a_pipeline_killed_while_it_computes_goes_on(pipelines, report, line):
    pipeline, campaign = pipelines('erasing_tiny'), Campaign('kills of a pipeline')
    campaign.trials += 1
    folder = pipeline.scratch / 'work'
    run = pipeline.start(folder)
    assert run.until(lambda: line in run.output) and line in run.output
    run.kill()
    run.wait()
    campaign.fail('orphans', f'killed at {line!r}', run.orphans())
    pipeline.resumed(campaign, folder, f'killed at {line!r}', '--resume')
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()


@pytest.mark.parametrize('name', ['erasing_tiny', 'rounds_tiny'])
def test_a_pipeline_killed_again_and_again_gets_to_its_end(pipelines, report, name):
    pipeline, campaign = pipelines(name), Campaign('kills of a pipeline in a row')
    folder, code = pipeline.scratch / 'work', -signal.SIGKILL
    while code == -signal.SIGKILL:
        campaign.trials += 1
        # Starting up changes about thirty files: locks, logs, a copy of the config.
        code = pipeline.run(folder, '--resume', change=45).code
        assert campaign.trials < len(pipeline.changes), 'it never ends'
    campaign.trials -= 1  # the last one ended by itself
    pipeline.resumed(campaign, folder, f'{campaign.trials} kills', '--resume')
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()


OTHER = (
    '--cfg-options',
    'classifier.train_cfg.max_iters=6',
    'classifier.optim_wrapper.optimizer.lr=1e-3',
    'labels.test_cfg.generator.labels.low.background.alpha=3',
)


@pytest.mark.parametrize('again', [(), ('--resume',)])
def test_a_pipeline_of_other_settings_that_was_killed_is_not_taken_for_finished(
    pipelines, report, again
):
    pipeline = pipelines('erasing_tiny')
    campaign = Campaign('kills of a pipeline with other settings between two runs')
    folder, finished = pipeline.scratch / 'work', pipeline.scratch / 'finished'
    assert pipeline.run(folder).code == 0
    shutil.copytree(folder, finished)
    assert pipeline.run(folder, *OTHER, change=-1).code == 0
    changes = picked(pipeline.trace(folder), 11)
    shutil.rmtree(folder)
    for change in changes:
        campaign.trials += 1
        where = f'other settings killed at {change}'
        shutil.copytree(finished, folder)
        run = pipeline.run(folder, *OTHER, change=change)
        assert run.code == -signal.SIGKILL, run.output[-3000:]
        campaign.fail('orphans', where, run.orphans())
        pipeline.resumed(campaign, folder, where, *again)
        shutil.rmtree(folder)
    shutil.rmtree(finished)
    report(campaign)
    campaign.check()


@pytest.mark.parametrize('sign', [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_loading_processes_end_with_a_killed_parent(pipelines, report, sign):
    pipeline, campaign = (
        pipelines('erasing_tiny'),
        Campaign('kills of a pipeline with loading processes'),
    )
    campaign.trials += 1
    folder, where = pipeline.scratch / 'work', f'{sign.name} with loaders'
    loaders = [f'{s}.train_dataloader.num_workers=2' for s in ('warmup', 'classifier')]
    run = pipeline.start(folder, '--cfg-options', *loaders)
    assert run.until(lambda: (folder / 'classifier/iter_1.pth').exists() and run.alive())
    run.kill(sign, group=sign == signal.SIGINT)
    assert run.wait() != 0
    campaign.fail('orphans', where, run.orphans())
    run.end()
    pipeline.resumed(campaign, folder, where, '--resume')
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()


def test_a_second_run_in_the_same_folder_harms_nothing(pipelines, report):
    pipeline, campaign = pipelines('erasing_tiny'), Campaign('second runs in one folder')
    folder = pipeline.scratch / 'work'
    first = pipeline.start(folder)
    for name in ('warmup/started.json', 'classifier/iter_1.pth', 'labels/started.json'):
        campaign.trials += 1
        assert first.until((folder / name).exists) and first.poll() is None
        second = pipeline.run(folder, '--resume')
        campaign.fail('tracebacks', f'second run at {name}', traceback(second.output))
        if second.code == 0:
            campaign.fail('wrong', f'second run at {name}', 'both went on')
    first.wait()
    campaign.fail('wrong', 'first run', differences(contents(folder), pipeline.wanted))
    shutil.rmtree(folder)
    report(campaign)
    campaign.check()


def test_pipelines_were_killed_at_least_40_times(reported):
    assert reported('kills of a pipeline') >= 40
