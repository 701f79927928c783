"""Differences between package versions, handled in one place.

OpenMMLab's packages exist as the originals and as the maintained ``onedl-`` forks, with the same
import names. :func:`apply` makes either family work with a current PyTorch; ``import mmwsss`` calls
it. Nothing else in the project checks a package's version.
"""

import functools
import importlib.machinery
import importlib.util
import logging
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from types import ModuleType
from typing import Any, NoReturn

import mmengine.logging
import numpy as np
import torch
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging.logger import print_log as mmengine_print_log

from mmwsss.checkpoints import keep_functions_out_of_checkpoints, refuse_code_in_checkpoints

# Keeps the declared operators alive: torch forgets them with the object.
_torchvision_library: torch.library.Library | None = None


def apply() -> None:
    """Make the installed packages work together; calling it twice changes nothing."""
    name_installed_packages()
    hide_advice_for_other_users()
    keep_functions_out_of_checkpoints()
    refuse_code_in_checkpoints()
    declare_torchvision_operators()
    replace_missing_mmcv_operators()
    mend_hues_of_mmcv()


# Configs of other packages


def name_installed_packages() -> None:
    """Let ``_base_ = 'mmseg::...'`` find a package that a fork provides.

    mmengine finds the configs of a package by the name of its distribution. For a fork this is
    ``onedl-mmsegmentation`` where mmengine expects ``mmsegmentation``.
    """
    for module, package in list(MODULE2PACKAGE.items()):
        fork = f'onedl-{package}'
        if not _is_distribution(package) and _is_distribution(fork):
            MODULE2PACKAGE[module] = fork


def _is_distribution(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


# Messages


def hide_advice_for_other_users() -> None:
    """Silence what the packages print when they are imported.

    The forks look for another package of their maker and report its absence at debug level, which
    mmengine prints all the same. Without compiled operators, mmcv advises compiling it, but nothing
    here needs them.
    """
    mmengine.logging.print_log = print_log
    warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')


def print_log(msg: Any, logger: Any = None, level: int = logging.INFO) -> None:
    """Log as mmengine does, except that a debug message without a logger is dropped."""
    if logger is not None or level > logging.DEBUG:
        mmengine_print_log(msg, logger, level)


# Compiled operators


def declare_torchvision_operators() -> None:
    """Let torchvision be imported with a build of PyTorch that its compiled part does not match.

    The wheels on the package index belong to the CUDA build. With a CPU build their library does
    not load, and the import fails because two operators are missing. These are declared without a
    body, so that models and transforms work; only a call of ``nms`` itself fails.
    """
    global _torchvision_library
    if _torchvision_library or 'torchvision' in sys.modules or _torchvision_library_loads():
        return
    library = torch.library.Library('torchvision', 'FRAGMENT')
    library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    library.define('qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    _torchvision_library = library


def _torchvision_library_loads() -> bool:
    """Try the compiled library without importing torchvision; without torchvision nothing fails."""
    if importlib.util.find_spec('torchvision') is None:
        return True
    library = _find_library('torchvision', '_C')
    if library is None:
        return False
    try:
        torch.ops.load_library(library)
    except OSError:
        return False
    return True


def _find_library(package: str, name: str) -> str | None:
    kind = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        library = importlib.machinery.FileFinder(folder, kind).find_spec(name)
        if library:
            return library.origin
    return None


class _MissingOperators(ModuleType):
    """A stand-in for the compiled part of mmcv: every operator exists and fails when called."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):  # what Python asks of every module
            raise AttributeError(name)

        def missing(*args: Any, **kwargs: Any) -> NoReturn:
            raise NotImplementedError(
                f'{name} is a compiled operator, but mmcv is installed without them.'
            )

        return missing


def replace_missing_mmcv_operators() -> None:
    """Let the original mmseg be imported with an mmcv that lacks compiled operators.

    mmseg imports them for a few models. mmcv has wheels for only a few versions of PyTorch, and
    compiling it takes long; nothing here needs it. The forks have no compiled part to begin with.
    """
    name = 'mmcv._ext'
    if name in sys.modules or _is_distribution('onedl-mmcv') or _find_library('mmcv', '_ext'):
        return
    sys.modules[name] = _MissingOperators(name)
    # Without a loader, so that mmengine does not mistake this for a compiled mmcv.
    sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)


# Colours


class _Turn(float):
    """A shift of the hue; times 255 it fits uint8, since back by k is forward by 256 - k."""

    def __mul__(self, whole: float) -> int:
        return int(float(self) * whole) % 256


def mend_hues_of_mmcv() -> None:
    """Let the original mmcv shift hues backwards, for which it casts a negative number to uint8.

    NumPy 2 refuses this, so half of the images of a ``ColorJitter`` would end the training. The
    forks count modulo 256 themselves.
    """
    if _is_distribution('onedl-mmcv') or np.lib.NumpyVersion(np.__version__) < '2.0.0':
        return
    import mmcv  # only now that missing operators have been replaced
    from mmcv.image import photometric

    if hasattr(mmcv.adjust_hue, '__wrapped__'):
        return
    adjust_hue = photometric.adjust_hue

    @functools.wraps(adjust_hue)
    def adjust(img: np.ndarray, hue_factor: float, backend: str | None = None) -> np.ndarray:
        return adjust_hue(img, _Turn(hue_factor), backend=backend)

    mmcv.adjust_hue = mmcv.image.adjust_hue = photometric.adjust_hue = adjust
