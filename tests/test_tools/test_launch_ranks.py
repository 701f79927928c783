"""Ranks started by the tool: real processes, one of which ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.warm import PATIENCE

ROOT = Path(__file__).parents[2]
# The ranks connect, then the second one ends while the first waits for it.
TOOL = """
import os, signal, time
import torch.distributed as dist
dist.init_process_group('gloo')
print('ready', end='', flush=True)
if dist.get_rank() == 1:
    {end}
try:
    dist.barrier()
finally:
    time.sleep({rest})
"""

pytestmark = pytest.mark.slow


def started(tmp_path, end, *, rest):
    """Start two ranks and wait until they are connected."""
    tool = tmp_path / 'tool.py'
    tool.write_text(TOOL.format(end=end, rest=rest))
    launcher = ROOT / 'tools/launch_ranks.py'
    run = subprocess.Popen(
        [sys.executable, launcher, '--standalone', '--nproc_per_node=2', tool],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout.read(10) == 'readyready'
    return run


@pytest.mark.parametrize(
    'end, code, line',
    [
        ('os.kill(os.getpid(), signal.SIGKILL)', 1, 'was ended by SIGKILL, often because memory'),
        ('raise SystemExit(2)', 2, 'error: rank 1 ended with exit code 2'),
        ('raise OSError', 1, 'error: rank 1 ended with exit code 1'),
    ],
)
def test_a_rank_that_ends_ends_the_run_within_30_seconds_with_one_line(tmp_path, end, code, line):
    with started(tmp_path, end, rest=60) as run:  # the first rank does not end by itself
        start = time.monotonic()
        _, errors = run.communicate(timeout=PATIENCE)
    assert time.monotonic() - start < 30
    assert run.returncode == code
    assert line in errors.splitlines()[-1]
    assert 'ChildFailedError' not in errors


def test_ctrl_c_ends_all_ranks_without_a_traceback_of_the_launcher(tmp_path):
    with started(tmp_path, 'time.sleep(60)', rest=0) as run:
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130
    assert 'SignalException' not in errors
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)
