"""What becomes of a run's processes when it is stopped: real processes, real signals."""

import os
import signal
import socket
import sys
import time
import traceback
from functools import partial
from pathlib import Path

import pytest
import torch
from faults.warm import PATIENCE

from mmwsss.apis.command_line import run_tool
from mmwsss.engine.labels.pool import RefinePool
from mmwsss.engine.pipeline.runner import StageRunner
from mmwsss.engine.ranks import map_over_ranks, run_on_ranks
from mmwsss.structures import UserInputError


class Slow(torch.utils.data.Dataset):
    """Items that take long, except for the first ones."""

    def __len__(self):
        return 1000

    def __getitem__(self, index):
        time.sleep(0.01 if index < 4 else 60)
        return index


def sleep_after(ready: Path):
    ready.touch()
    time.sleep(60)


def work(folder: Path, pool_workers: int):
    """Stay busy with workers of a data loader and of a pool."""
    loader = StageRunner.build_dataloader(
        dict(
            dataset=Slow(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
            num_workers=2,
        ),
        seed=0,
    )
    with RefinePool(pool_workers) as pool:
        if pool_workers:
            pool.submit(partial(sleep_after, folder / 'pool'))
        for _ in loader:
            (folder / 'loader').touch()


def fork(main, output: Path) -> int:
    """Run a tool in its own session, as a terminal would."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = os.open(output, os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdout, sys.stderr = os.fdopen(1, 'w', closefd=False), os.fdopen(2, 'w', closefd=False)
    code = 1
    try:
        run_tool(main)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def descendants(process_id: int) -> list[int]:
    found = []
    for path in Path(f'/proc/{process_id}/task').glob('*/children'):
        for child in map(int, path.read_text().split()):
            found += [child, *descendants(child)]
    return found


def is_alive(process_id: int) -> bool:
    try:
        return Path(f'/proc/{process_id}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def until(happened, seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while not happened() and time.monotonic() < limit:
        time.sleep(0.02)
    return bool(happened())


@pytest.fixture(scope='module')
def stopped(tmp_path_factory):
    """Stop three busy runs; return exit code, output and surviving processes by signal."""
    root = tmp_path_factory.mktemp('stopped')
    # A terminal sends Ctrl-C to all processes of a run. One run without a pool saves starting one.
    senders = dict(SIGTERM=os.kill, SIGKILL=os.kill, SIGINT=os.killpg)
    runs = {}
    for name in senders:
        (root / name).mkdir()
        main = partial(work, root / name, pool_workers=name != 'SIGTERM')
        runs[name] = fork(main, root / name / 'output')
    outcomes = {}
    for name, send in senders.items():
        busy = [root / name / 'loader'] + [root / name / 'pool'] * (name != 'SIGTERM')
        assert until(lambda busy=busy: all(path.exists() for path in busy), PATIENCE)
        workers = descendants(runs[name])
        assert len(workers) >= (2 if name == 'SIGTERM' else 3)  # two of the loader, one of the pool
        send(runs[name], signal.Signals[name])
        code = os.waitstatus_to_exitcode(os.waitpid(runs[name], 0)[1])
        until(lambda workers=workers: not any(map(is_alive, workers)), 10)
        left = [worker for worker in workers if is_alive(worker)]
        for worker in left:
            os.kill(worker, signal.SIGKILL)
        outcomes[name] = code, (root / name / 'output').read_text(), left
    return outcomes


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGKILL'])
def test_no_worker_outlives_a_run_that_is_killed(stopped, name):
    code, output, left = stopped[name]
    assert code == -signal.Signals[name]
    assert left == []
    assert 'Traceback' not in output


@pytest.fixture
def two_ranks(tmp_path):
    """Run a function of the rank as a tool on two ranks; return exit codes and outputs."""

    def run(function):
        with socket.socket() as server:
            server.bind(('127.0.0.1', 0))
            os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(server.getsockname()[1]))

        def tool(rank):
            torch.distributed.init_process_group('gloo', rank=rank, world_size=2)
            function(rank)

        outputs = [tmp_path / 'output 0', tmp_path / 'output 1']
        ranks = [fork(partial(tool, rank), outputs[rank]) for rank in range(2)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(rank, 0)[1]) for rank in ranks]
        return codes, [path.read_text() for path in outputs]

    return run


def test_a_rank_that_is_killed_ends_the_other_with_one_line(two_ranks):
    def function(rank):
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        run_on_ranks(lambda: rank)

    start = time.monotonic()
    codes, outputs = two_ranks(function)
    assert time.monotonic() - start < 30
    assert codes == [1, -signal.SIGKILL]
    assert outputs[0].splitlines()[-1].startswith('error: rank 0 stops because another rank ended')
    assert 'Traceback' not in outputs[0]


def test_a_mistake_on_one_rank_ends_all_with_its_line(two_ranks):
    def refuse(number):
        if number == 3:
            raise UserInputError('image 3 is damaged')

    codes, outputs = two_ranks(lambda _: map_over_ranks(refuse, range(5)))
    assert codes == [2, 2]
    assert all(text.splitlines()[-1] == 'error: image 3 is damaged' for text in outputs)


def test_ctrl_c_ends_in_one_line_that_says_how_to_go_on(stopped):
    code, output, left = stopped['SIGINT']
    assert code == 130
    assert left == []
    assert 'Traceback' not in output
    assert output.splitlines()[-1] == 'interrupted: run the same command again to continue.'
