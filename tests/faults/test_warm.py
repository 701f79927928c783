"""The harness itself: what it starts behaves like a process started by a shell."""

import os
import signal
import subprocess
import sys

import pytest

from faults.warm import PATIENCE, ROOT

pytestmark = pytest.mark.slow


def test_a_forked_tool_ends_like_one_from_the_command_line(warm):
    argv = ['tools/train.py', 'configs/none.py']
    forked = warm.run(argv)
    started = subprocess.run(
        [sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert forked.code == started.returncode == 2
    assert forked.stderr.splitlines()[-1] == started.stderr.splitlines()[-1]


def test_a_killed_run_gives_its_signal_and_the_processes_that_outlive_it(warm, tmp_path):
    tool = tmp_path / 'tool.py'
    tool.write_text(
        'import subprocess, time\n'
        "subprocess.Popen(['sleep', '60'])\n"
        "subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        'time.sleep(60)\n'
    )
    run = warm.start([tool], logs=tmp_path)
    assert run.until(lambda: len(run.alive()) == 2)
    run.kill(signal.SIGTERM)
    assert run.wait() == -signal.SIGTERM
    assert [orphan.split()[1] for orphan in run.orphans(0.2)] == ['sleep', 'sleep']
    run.end()
    assert run.orphans() == []


def test_a_run_has_the_environment_folder_and_options_that_it_is_given(warm, tmp_path):
    tool = tmp_path / 'tool.py'
    tool.write_text('import os, sys; print(os.environ["HERE"], os.getcwd(), *sys.argv[1:])')
    run = warm.run([tool, '--a', 1], environment=dict(HERE='x'), cwd=tmp_path, logs=tmp_path)
    assert run.stdout.split() == ['x', os.path.realpath(tmp_path), '--a', '1']
