"""What a person sees of a run, on a terminal and in a file."""

import os
import pty
import re
import threading
import warnings

import pytest
from faults.warm import Run
from mmengine.logging import MMLogger

from mmwsss.engine import progress
from mmwsss.engine.console import calm, calm_console, say, show_everything
from mmwsss.engine.progress import Progress
from mmwsss.structures.notices import notice

CONFIG = 'configs/demo/bana-classifier_resnet18_shapes-96x96.py'


@pytest.fixture
def logger(tmp_path, capsys):
    """The log of a stage inside a calm console."""
    with calm_console():
        name = tmp_path.name
        logger = MMLogger.get_instance(name, log_file=str(tmp_path / 'stage.log'))
        calm(logger)
        yield logger
    MMLogger._instance_dict.pop(name)


def logged(tmp_path):
    return (tmp_path / 'stage.log').read_text()


def test_notices_and_warnings_are_shown_and_the_file_has_all(logger, tmp_path, capsys):
    logger.info('Config: many lines')
    notice('10 of 12 images are labelled already')
    logger.warning('3 images are left out')
    logger.error('broken')
    assert capsys.readouterr().out.splitlines() == [
        '  10 of 12 images are labelled already',
        'warning: 3 images are left out',
        'error: broken',
    ]
    for line in ('Config: many lines', '10 of 12 images', '3 images are left out', 'broken'):
        assert line in logged(tmp_path)


def test_a_warning_of_several_stages_is_shown_once(logger, tmp_path, capsys):
    second = MMLogger('second', log_file=str(tmp_path / 'second.log'))
    calm(second)
    for log in (logger, second, logger):
        log.warning('3 images are left out')
    assert capsys.readouterr().out == 'warning: 3 images are left out\n'
    assert '3 images are left out' in (tmp_path / 'second.log').read_text()


def test_chatter_of_libraries_goes_to_the_file(logger, tmp_path, capsys):
    logger.warning('"FileClient" will be deprecated in future. Please use io functions')
    assert capsys.readouterr().out == ''
    assert 'FileClient' in logged(tmp_path)


def test_a_warning_of_python_is_shown_and_logged(logger, tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        warnings.showwarning('the driver is too old', UserWarning, 'cuda.py', 7)
    shown = capsys.readouterr()
    assert shown.out == 'warning: UserWarning: the driver is too old (cuda.py, line 7)\n'
    assert shown.err == ''
    assert 'the driver is too old' in logged(tmp_path)


def test_all_is_printed_after_show_everything(tmp_path, capsys):
    general = MMLogger.get_instance('mmengine')
    handlers = list(general.handlers)
    with calm_console():
        assert general.handlers != handlers
        show_everything()
        assert general.handlers == handlers
        logger = MMLogger(tmp_path.name)
        calm(logger)
        logger.info('Config: many lines')
    assert 'Config: many lines' in capsys.readouterr().out


@pytest.mark.parametrize('variable', ['RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'])
def test_other_ranks_are_silent_before_they_are_connected(variable, logger, monkeypatch, capsys):
    monkeypatch.setenv(variable, '1')
    say('stage 1 of 2: classifier')
    logger.warning('3 images are left out')
    assert capsys.readouterr().out == ''


def lines_of(minutes, logger, monkeypatch, capsys, *, total=1000, done=0):
    """Work evenly for some minutes; give the lines in a file."""
    now = 0.0
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now)
    with Progress('training', total, logger, done=done) as shown:
        for count in range(done + 1, total + 1):
            now += 60 * minutes / (total - done)
            shown.update(count)
    return capsys.readouterr().out.splitlines()


def test_progress_in_a_file_is_a_line_for_each_tenth(logger, monkeypatch, capsys):
    lines = lines_of(100, logger, monkeypatch, capsys)
    assert lines[0] == '  training 6/1000, 1:39:24 left'
    assert [int(re.findall(r'\d+', line)[0]) for line in lines[1:]] == list(range(106, 1000, 100))


def test_progress_in_a_file_has_no_line_in_a_short_time_and_few_in_days(
    logger, monkeypatch, capsys
):
    assert lines_of(0.4, logger, monkeypatch, capsys) == []
    assert 3 <= len(lines_of(2, logger, monkeypatch, capsys)) <= 4
    day = 24 * 60
    assert 140 <= len(lines_of(day, logger, monkeypatch, capsys, total=10_000)) <= 150


def test_the_time_left_does_not_count_what_an_earlier_run_did(logger, monkeypatch, capsys):
    lines = lines_of(10, logger, monkeypatch, capsys, total=1000, done=900)
    assert lines[0] == '  training 906/1000, 0:09:24 left'


def on_terminal(warm, argv, environment):
    """Run a tool on a terminal of 80 columns; give its exit code and what it wrote there."""
    ours, its = pty.openpty()
    name, written = os.ttyname(its), []

    def read():
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the last writer has closed it
                return
            written.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    root = os.getcwd()
    environment = {**environment, 'TERM': 'xterm', 'COLUMNS': '80'}
    answer = warm.ask(
        argv=[str(part) for part in argv],
        environment={key: str(value) for key, value in environment.items()},
        cwd=root,
        out=name,
        err=name,
        before=None,
        options={},
    )
    code = Run(warm, answer['pid'], '', None, None).wait()
    os.close(its)
    reader.join()
    os.close(ours)
    return code, b''.join(written).decode()


def test_a_terminal_has_a_bar_that_goes_when_the_stage_ends(warm, shapes_data, tmp_path):
    options = ('--cfg-options', 'train_cfg.max_iters=3')
    argv = ('tools/train.py', CONFIG, '--work-dir', tmp_path / 'work', *options)
    code, written = on_terminal(warm, argv, {'MMWSSS_DATA': shapes_data})
    assert code == 0, written
    assert re.search(r'training.*━.*3/3', written)
    assert written.rindex('\x1b[?25h') > written.rindex('\x1b[?25l')  # the cursor is back
    # What stands there in the end: an erased line is written over.
    lines = [re.sub(r'\x1b\[[\d;?]*[a-zA-Z]', '', line) for line in written.splitlines()]
    assert 'stage 1 of 1: train' in lines and '  finished in 0:0' in '\n'.join(lines)
    assert 'INFO' not in written
    (log,) = (tmp_path / 'work').glob('*/*.log')
    assert 'Hooks will be executed' in log.read_text()


@pytest.mark.slow
def test_verbose_prints_the_log(warm, shapes_data, tmp_path):
    options = ('--verbose', '--cfg-options', 'train_cfg.max_iters=1')
    argv = ('tools/train.py', CONFIG, '--work-dir', tmp_path / 'work', *options)
    run = warm.run(argv, environment={'MMWSSS_DATA': shapes_data})
    assert run.code == 0, run.output
    assert 'Hooks will be executed' in run.stdout and 'Config:' in run.stdout
    assert 'stage 1 of 1: train' in run.stdout


@pytest.mark.slow
def test_a_stage_that_fails_ends_in_its_one_line(warm, shapes_data, tmp_path):
    options = ('--cfg-options', 'optim_wrapper.optimizer.lr=1e30', 'train_cfg.max_iters=3')
    argv = ('tools/train.py', CONFIG, '--work-dir', tmp_path / 'work', *options)
    run = warm.run(argv, environment={'MMWSSS_DATA': shapes_data})
    assert run.code == 2
    assert run.stdout.splitlines()[-1] == 'stage 1 of 1: train'
    (line,) = run.stderr.splitlines()
    assert line.startswith('error: ') and 'NaN or infinite' in line
