"""How a result was made, recorded with every result but never a reason to repeat it."""

import os
import platform
import subprocess
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mmcv
import mmengine
import mmseg
import torch
from mmengine.config import Config

import mmwsss
from mmwsss.version import __version__

_PACKAGES = ('torch', 'numpy', 'pydensecrf2')
_SECONDS_FOR_GIT = 10


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    modules = (mmengine, mmcv, mmseg)  # which have other distribution names in the forks
    found = {'mmwsss': __version__, **{module.__name__: module.__version__ for module in modules}}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = 'not installed'
    return found


def made_by(config: Config, *, seed: int | None) -> dict[str, Any]:
    """Say with which config, seed, code and packages a stage is made, since when and where."""
    return dict(
        config=config.filename,
        seed=seed,
        commit=_commit(),
        packages=package_versions(),
        date=datetime.now().astimezone().isoformat(timespec='seconds'),
        machine=_machine(),
    )


def _commit() -> str | None:
    """Commit of the checkout that runs, with ``-dirty`` after changes; None if it is installed."""
    root = Path(mmwsss.__file__).parents[1]
    if not (root / '.git').exists():
        return None
    command = ['git', '--no-optional-locks', '-C', str(root), 'describe', '--always', '--dirty']
    command += ['--abbrev=40', '--exclude=*']  # the hash, whatever tags there are
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS_FOR_GIT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _machine() -> dict[str, Any]:
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    system = f'{platform.system()} {platform.machine()}'
    return dict(name=platform.node(), system=system, cores=os.cpu_count(), gpus=gpus)
