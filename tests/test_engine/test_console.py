"""What a person sees of a run, on a terminal and in a file."""

import io
import os
import pty
import re
import select
import signal
import sys
import threading
import warnings

import pytest
from faults.warm import Run
from mmengine.logging import MMLogger

from mmwsss.engine import progress
from mmwsss.engine.console import calm, calm_console, say, show_everything
from mmwsss.engine.pipeline.report import write_report
from mmwsss.engine.progress import Progress
from mmwsss.structures.notices import notice

CONFIG = 'configs/demo/bana-classifier_resnet18_shapes-96x96.py'
SHORT = ('--cfg-options', 'train_cfg.max_iters=3')


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


def test_a_warning_from_several_lines_of_code_is_shown_once(logger, tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter('always')
        warnings.showwarning('3 workers', UserWarning, 'loader.py', 7)
        warnings.showwarning('3 workers', UserWarning, 'loader.py', 9)
    assert capsys.readouterr().out == 'warning: UserWarning: 3 workers (loader.py, line 7)\n'
    assert 'line 9' in logged(tmp_path)


def test_every_error_is_shown(logger, capsys):
    logger.error('broken')
    logger.error('broken')
    assert capsys.readouterr().out == 'error: broken\n' * 2


def test_a_screen_without_some_letters_shows_the_rest(monkeypatch, tmp_path):
    screen = io.TextIOWrapper(io.BytesIO(), 'ascii')
    monkeypatch.setattr(sys, 'stdout', screen)
    with calm_console():
        say('Straße')
        MMLogger.get_instance('mmengine').error('Höhe')
    say('Übung')
    write_report({}, tmp_path / 'report.json', title='Größe')
    shown = screen.buffer.getvalue().decode()
    assert shown.startswith('Stra?e\nerror: H?he\n?bung\n') and 'Gr??e' in shown


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


def test_all_logs_print_everything_again_in_the_end(tmp_path, capsys):
    general, stage = MMLogger.get_instance('mmengine'), MMLogger(tmp_path.name)
    handlers = [list(log.handlers) for log in (general, stage)]
    show_warning = warnings.showwarning
    with calm_console():
        outer = list(general.handlers)
        with calm_console():
            calm(stage)
            calm(stage)
        assert general.handlers == outer
        general.info('Config: many lines')
        assert capsys.readouterr().out == ''
    assert [general.handlers, stage.handlers] == handlers
    assert warnings.showwarning is show_warning
    stage.info('Config: many lines')
    assert 'Config: many lines' in capsys.readouterr().out


@pytest.mark.parametrize('variable', ['RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'])
def test_other_ranks_show_only_errors(variable, logger, monkeypatch, capsys):
    monkeypatch.setenv(variable, '1')
    say('stage 1 of 2: classifier')
    logger.warning('3 images are left out')
    assert capsys.readouterr().out == ''
    logger.error('broken')
    assert capsys.readouterr().out == 'rank 1: error: broken\n'


TOOL = """
import argparse, contextlib, warnings
from mmengine.logging import MMLogger
from mmwsss.apis.command_line import parse_arguments, run_tool
from mmwsss.engine.state.contents import without_warnings

def main():
    parse_arguments(argparse.ArgumentParser())
    log = MMLogger.get_current_instance()
    {body}

run_tool(main)
"""


def test_verbose_prints_errors_and_warnings_of_python_of_other_ranks(warm, tmp_path):
    lines = """log.info('step')
    log.warning('left out')
    log.error('broken')
    warnings.warn('old')"""
    (tmp_path / 'tool.py').write_text(TOOL.format(body=lines))
    run = warm.run([tmp_path / 'tool.py', '--verbose'], environment={'RANK': 1})
    assert run.code == 0, run.output
    assert 'broken' in run.stdout and 'UserWarning: old' in run.stderr
    assert 'step' not in run.output and 'left out' not in run.output


def test_a_warning_that_was_held_back_is_new_later(warm, tmp_path):
    lines = """for scope in (without_warnings(), contextlib.nullcontext()):
        with scope:
            warnings.warn('3 images')"""
    (tmp_path / 'tool.py').write_text(TOOL.format(body=lines))
    run = warm.run([tmp_path / 'tool.py'])
    assert run.code == 0, run.output
    assert run.stdout.count('3 images') == 1


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
    assert lines[0] == '  training 10/1000, 1:39:00 left'
    assert [int(re.findall(r'\d+', line)[0]) for line in lines[1:]] == list(range(110, 1000, 100))


def test_progress_in_a_file_has_no_line_in_a_short_time_and_few_in_days(
    logger, monkeypatch, capsys
):
    assert lines_of(0.4, logger, monkeypatch, capsys) == []
    assert 3 <= len(lines_of(2, logger, monkeypatch, capsys)) <= 4
    day = 24 * 60
    assert 140 <= len(lines_of(day, logger, monkeypatch, capsys, total=10_000)) <= 150


def test_the_time_left_does_not_count_what_an_earlier_run_did(logger, monkeypatch, capsys):
    lines = lines_of(10, logger, monkeypatch, capsys, total=1000, done=900)
    assert lines[0] == '  training 910/1000, 0:09:00 left'


def start(warm, argv, environment, out, before=None, options=None):
    """Start a tool that writes to a file of that name."""
    answer = warm.ask(
        argv=[str(part) for part in argv],
        environment={key: str(value) for key, value in environment.items()},
        cwd=os.getcwd(),
        out=out,
        err=out,
        before=before,
        options=options or {},
    )
    return Run(warm, answer['pid'], '', None, None)


TERMINAL = {'TERM': 'xterm', 'COLUMNS': '80'}


def read_until(file, text=None):
    """Read what a tool writes there, until it has written the text or has ended."""
    written = b''
    while text is None or text not in written:
        try:
            written += os.read(file, 4096)
        except OSError:  # the last writer has closed it
            break
    return written.decode()


def on_terminal(warm, argv, environment):
    """Run a tool on a terminal of 80 columns; give its exit code and what it wrote there."""
    ours, its = pty.openpty()
    written = []
    reader = threading.Thread(target=lambda: written.append(read_until(ours)))
    reader.start()
    code = start(warm, argv, {**environment, **TERMINAL}, os.ttyname(its)).wait()
    os.close(its)
    reader.join()
    os.close(ours)
    return code, written[0]


def assert_trained(run, work_dir):
    assert run.wait() == 0
    (log,) = work_dir.glob('*/*.log')
    assert 'Saving checkpoint at 3 iterations' in log.read_text()
    assert (work_dir / 'iter_3.pth').exists()


def test_a_training_outlives_its_terminal(warm, shapes_data, tmp_path):
    argv = ('tools/train.py', CONFIG, '--work-dir', tmp_path / 'work', *SHORT)
    ours, its = pty.openpty()
    environment = {'MMWSSS_DATA': shapes_data, **TERMINAL}
    nohup = dict(signalnum=signal.SIGHUP, handler=signal.SIG_IGN)
    run = start(warm, argv, environment, os.ttyname(its), 'signal:signal', nohup)
    read_until(ours, b'training')
    os.close(its)
    os.close(ours)
    assert_trained(run, tmp_path / 'work')


def test_a_training_outlives_what_reads_its_pipe(warm, shapes_data, tmp_path):
    argv = ('tools/train.py', CONFIG, '--work-dir', tmp_path / 'work', *SHORT)
    os.mkfifo(tmp_path / 'pipe')
    ours = os.open(tmp_path / 'pipe', os.O_RDONLY | os.O_NONBLOCK)  # does not wait for a writer
    run = start(warm, argv, {'MMWSSS_DATA': shapes_data}, str(tmp_path / 'pipe'))
    select.select([ours], [], [])  # its first line
    os.close(ours)
    assert_trained(run, tmp_path / 'work')


def test_a_terminal_has_a_bar_that_goes_when_the_stage_ends(warm, shapes_data, tmp_path):
    argv = ('tools/train.py', CONFIG, '--work-dir', tmp_path / 'work', *SHORT)
    code, written = on_terminal(warm, argv, {'MMWSSS_DATA': shapes_data})
    assert code == 0, written
    assert re.search(r'training.*━.*3/3', written)
    assert '\x1b[?25l' not in written  # the cursor is never hidden
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
