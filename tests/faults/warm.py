"""One warm process that forks the tools, so that a run costs its own time but no imports.

::

    with WarmProcess() as warm:
        run = warm.start(['tools/train.py', config, '--work-dir', folder], logs=tmp_path)
        run.until(lambda: (folder / 'iter_4.pth').exists())  # optional: a moment to kill at
        run.kill(signal.SIGKILL)                             # optional
        code = run.wait()                                    # like subprocess: -9 after SIGKILL
        assert run.orphans() == [] and 'Traceback' not in run.output

The tool's file runs as ``__main__`` in its own session: options, exit code, output and child
processes are those of a command line. ``before='module:function'`` with
``options`` calls a function of :mod:`tests.faults` in the child before the tool starts, e.g.
``faults.injections:die_at``, which kills the child at its n-th change of a file. Several runs may
go on at the same time, also as the ranks of one job (:func:`rank_environments`).
"""

import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).parents[2]
PATIENCE = 600
"""Seconds after which a process that a test waits for counts as hung, on a loaded machine too.

A test of how soon something happens has its own limit.
"""
_MARK = 'MMWSSS_FAULTS_RUN'


def rank_environments(number: int) -> list[dict[str, object]]:
    """Return what a launcher tells each rank of one job on this machine."""
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        port = server.getsockname()[1]
    shared = dict(
        MASTER_ADDR='127.0.0.1', MASTER_PORT=port, WORLD_SIZE=number, LOCAL_WORLD_SIZE=number
    )
    return [dict(shared, RANK=rank, LOCAL_RANK=rank) for rank in range(number)]


class WarmProcess:
    """Start tools by forking a process that has already imported everything."""

    def __enter__(self) -> 'WarmProcess':
        paths = [str(ROOT), str(ROOT / 'tests'), os.environ.get('PYTHONPATH', '')]
        environment = dict(
            os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)), OMP_NUM_THREADS='1'
        )
        self._folder = Path(tempfile.mkdtemp(prefix='warm-'))
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self._folder / 'warm.err').open('w'),
            text=True,
            env=environment,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def ask(self, **request: object) -> dict:
        """Send one request to the warm process and return its answer."""
        self._process.stdin.write(json.dumps(request) + '\n')
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(
        self,
        argv: Sequence[object],
        *,
        environment: dict[str, object] | None = None,
        cwd: Path = ROOT,
        logs: Path | None = None,
        before: str | None = None,
        options: dict | None = None,
    ) -> 'Run':
        """Start a tool.

        Args:
            argv: Its path, relative to the repository or absolute, and its arguments.
            environment: Variables to add to those of this process.
            cwd: Folder to run in.
            logs: Folder for ``<id>.out`` and ``<id>.err``; by default a new one.
            before: ``'module:function'`` to call in the child before the tool.
            options: Keyword arguments of that function; JSON values.
        """
        mark = uuid.uuid4().hex
        log = (logs or self._folder) / mark
        answer = self.ask(
            argv=[str(ROOT / argv[0]), *map(str, argv[1:])],
            environment={k: str(v) for k, v in {**(environment or {}), _MARK: mark}.items()},
            cwd=str(cwd),
            out=f'{log}.out',
            err=f'{log}.err',
            before=before,
            options=options or {},
        )
        return Run(self, answer['pid'], mark, Path(f'{log}.out'), Path(f'{log}.err'))

    def run(
        self, argv: Sequence[object], *, timeout: float = PATIENCE, **keywords: object
    ) -> 'Run':
        """Start a tool and wait for its end; takes the arguments of :meth:`start`."""
        run = self.start(argv, **keywords)
        run.wait(timeout)
        return run


@dataclass
class Run:
    """A tool that is running, or has run.

    Attributes:
        pid: Process id, and id of the session of all that it forks.
        code: Exit code, negative for a signal; None while it runs.
    """

    warm: WarmProcess
    pid: int
    mark: str
    out: Path
    err: Path
    code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code if it has ended."""
        if self.code is None:
            self.code = self.warm.ask(poll=self.pid)['code']
        return self.code

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for the end; kill it with everything it started and fail if it takes too long."""
        if not self.until(lambda: False, timeout):
            self.end()
            raise TimeoutError(f'still running after {timeout} s:\n{self.output[-3000:]}')
        return self.code

    def until(self, happened: Callable[[], object], timeout: float = PATIENCE) -> bool:
        """Wait until something has happened or the run has ended; return whether either is true."""
        limit = time.monotonic() + timeout
        while time.monotonic() < limit:
            if self.poll() is not None or happened():
                return True
            time.sleep(0.01)
        return False

    def kill(self, sign: int = signal.SIGKILL, *, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group as Ctrl-C in a terminal does."""
        if self.poll() is None:
            (os.killpg if group else os.kill)(self.pid, sign)

    def end(self) -> None:
        """Kill the run and everything that it started."""
        for pid in [self.pid] * (self.poll() is None) + self.alive():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def alive(self) -> list[int]:
        """List the running processes that it started, directly or indirectly."""
        mark = f'{_MARK}={self.mark}'.encode()
        return [pid for pid in _processes() if pid != self.pid and self._owns(pid, mark)]

    def _owns(self, pid: int, mark: bytes) -> bool:
        try:
            state, _, _, session = _stat(pid)
            return state != 'Z' and (
                session == self.pid or mark in Path(f'/proc/{pid}/environ').read_bytes()
            )
        except (OSError, ValueError):
            return False

    def orphans(self, patience: float = 10) -> list[str]:
        """List the commands of processes that outlive the run by `patience` seconds."""
        limit = time.monotonic() + patience
        while (alive := self.alive()) and time.monotonic() < limit:
            time.sleep(0.05)
        return [f'{pid}: {_command(pid)}' for pid in alive]

    @property
    def stdout(self) -> str:
        """What it has printed."""
        return _text(self.out)

    @property
    def stderr(self) -> str:
        """What it has printed as errors."""
        return _text(self.err)

    @property
    def output(self) -> str:
        """Both, one after the other."""
        return self.stdout + self.stderr


def _text(path: Path) -> str:
    """Content of a log; empty until the run has opened it."""
    return path.read_text(errors='replace') if path.exists() else ''


def _processes() -> list[int]:
    return [int(path.name) for path in Path('/proc').iterdir() if path.name.isdigit()]


def _stat(pid: int) -> tuple[str, int, int, int]:
    """Return state, parent, group and session of a process."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return fields[0], int(fields[1]), int(fields[2]), int(fields[3])


def _command(pid: int) -> str:
    try:
        return Path(f'/proc/{pid}/cmdline').read_bytes().replace(b'\0', b' ').decode().strip()
    except OSError:
        return 'gone'


# The warm process


def _serve(answers: TextIO) -> None:
    """Answer each request with one JSON line; return only in a child, which becomes the tool."""
    children: dict[int, int | None] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if 'poll' in request:
            pid = request['poll']
            if children[pid] is None:
                ended, status = os.waitpid(pid, os.WNOHANG)
                children[pid] = os.waitstatus_to_exitcode(status) if ended else None
            answer = dict(code=children[pid])
        else:
            pid = os.fork()
            if pid == 0:
                _become(request)
                return
            children[pid] = None
            answer = dict(pid=pid)
        answers.write(json.dumps(answer) + '\n')
        answers.flush()
    for pid in [pid for pid, code in children.items() if code is None]:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _become(request: dict) -> None:
    """Make this process look like one that a shell has just started."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored under a background shell
    for descriptor, name in ((0, os.devnull), (1, request['out']), (2, request['err'])):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(name, flags, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(request['cwd'])
    os.environ.update(request['environment'])
    sys.argv = request['argv']
    sys.path[0] = str(Path(sys.argv[0]).parent)
    if request['before']:
        module, _, function = request['before'].partition(':')
        getattr(__import__(module, fromlist=[function]), function)(**request['options'])


def _import_everything() -> None:
    import mmwsss.engine.pipeline.pictures  # first: without its fixes mmseg may not be importable
    import mmwsss.engine.pipeline.run  # noqa: F401
    from mmwsss import registry  # isort: split
    import cv2  # noqa: F401
    import matplotlib.backends.backend_agg
    import matplotlib.pyplot  # noqa: F401
    import mmseg.apis  # noqa: F401
    import setuptools  # noqa: F401
    import torch
    import yapf.yapflib.yapf_api
    from mmengine.registry import Registry

    torch.set_num_threads(1)
    for node in vars(registry).values():
        if isinstance(node, Registry):
            node.import_from_location()
    # A third of a tiny run's time: formatting configs for logs, and collecting garbage in the heap
    # of everything that is imported.
    yapf.yapflib.yapf_api.FormatCode = lambda text, **_: (text, False)
    gc.freeze()


if __name__ == '__main__':
    # Packages print while they are imported, so answers have their own channel.
    own_answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    _import_everything()
    _serve(own_answers)
    # In a child, an exception or an exit code propagates as in the tool itself.
    runpy.run_path(sys.argv[0], run_name='__main__')
