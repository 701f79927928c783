"""Child processes that never outlive their parent and leave Ctrl-C to it."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker

from torch.utils.data import DataLoader

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_SECONDS_BETWEEN_LOOKS = 1.0


def end_with_parent() -> None:
    """Have this process killed when its parent ends, however that happens.

    On Linux the kernel does it, even while foreign code holds the interpreter's lock. The kernel
    watches the *thread* that started this process, so that thread must live as long as the work. On
    other systems, a thread checks the parent every second.
    """
    if sys.platform != 'linux':
        threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    elif ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f'prctl: {os.strerror(error)}')
    parent = multiprocessing.parent_process()
    # The parent may have died before this process asked to be told.
    if parent is None or parent.pid is None or os.getppid() == parent.pid:
        return
    if not _exists(parent.pid):
        os.kill(os.getpid(), signal.SIGTERM)


def start_worker() -> None:
    """Tie a worker to its parent. Ctrl-C reaches both, but only the parent decides how to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def tie_workers(loader: DataLoader) -> DataLoader:
    """Make a data loader's workers end with this process; their seeds stay the same."""
    loader.worker_init_fn = partial(_start_loader_worker, loader.worker_init_fn)
    return loader


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Block Ctrl-C while a process is spawned; the process inherits this for its whole life.

    Otherwise a worker that is still importing would answer Ctrl-C with its own traceback.
    """
    resource_tracker.ensure_running()  # if it starts later, it lets interrupts through again
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _start_loader_worker(seed_worker: Callable[[int], None] | None, worker_id: int) -> None:
    start_worker()
    if seed_worker is not None:
        seed_worker(worker_id)


def _watch_parent(parent_id: int) -> None:
    while os.getppid() == parent_id:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)


def _exists(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
