"""What differs between package versions, met in one place.

OpenMMLab's packages come as the original ones and as the maintained ``onedl-`` forks with the same
import names. :func:`apply` makes either family work with a current PyTorch; ``import mmwsss`` calls
it. Nothing else in the project asks for a package's version.
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

    mmengine looks the configs of a package up by the name of its distribution, which is
    ``onedl-mmsegmentation`` where it expects ``mmsegmentation``.
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
    """Keep every command free of what the packages say when they are imported.

    The forks look for a package of their maker and report its absence for debugging, which mmengine
    prints all the same. Without compiled operators mmcv advises to compile it: nothing here needs
    them.
    """
    mmengine.logging.print_log = print_log
    warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')


def print_log(msg: Any, logger: Any = None, level: int = logging.INFO) -> None:
    """Log as mmengine does, except that a message for debugging needs a logger to be seen."""
    if logger is not None or level > logging.DEBUG:
        mmengine_print_log(msg, logger, level)


# Operators that are compiled


def declare_torchvision_operators() -> None:
    """Let torchvision be imported beside a build of PyTorch that its compiled part does not fit.

    The wheels of the package index belong to the CUDA build. Beside a CPU build their library does
    not load, and the import fails for want of two operators. They are declared without a body:
    models and transforms work, and calling ``nms`` itself says that it is not there.
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
    """The compiled part of mmcv, where every operator exists and fails when it is called."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):  # what Python asks of every module
            raise AttributeError(name)

        def missing(*args: Any, **kwargs: Any) -> NoReturn:
            raise NotImplementedError(f'{name} is compiled, and mmcv is installed without it.')

        return missing


def replace_missing_mmcv_operators() -> None:
    """Let the original mmseg be imported beside an mmcv without compiled operators.

    mmseg imports them for a few models. mmcv has wheels for few versions of PyTorch; compiling it
    takes long, and nothing here needs it. The forks carry no compiled part to begin with.
    """
    name = 'mmcv._ext'
    if name in sys.modules or _is_distribution('onedl-mmcv') or _find_library('mmcv', '_ext'):
        return
    sys.modules[name] = _MissingOperators(name)
    # Without a loader, so that mmengine does not take mmcv for a compiled one.
    sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)


# Colours


class _Turn(float):
    """A turn of the hue; times 255 it is a number of uint8, for back by k is on by 256 - k."""

    def __mul__(self, whole: float) -> int:
        return int(float(self) * whole) % 256


def mend_hues_of_mmcv() -> None:
    """Let the original mmcv turn hues back, for which it makes a uint8 of a negative number.

    NumPy 2 refuses it, so that half the images of a ``ColorJitter`` would end the training. The
    forks count modulo 256 themselves.
    """
    if _is_distribution('onedl-mmcv') or np.lib.NumpyVersion(np.__version__) < '2.0.0':
        return
    import mmcv  # after the operators that it may miss have been replaced
    from mmcv.image import photometric

    if hasattr(mmcv.adjust_hue, '__wrapped__'):
        return
    adjust_hue = photometric.adjust_hue

    @functools.wraps(adjust_hue)
    def adjust(img: np.ndarray, hue_factor: float, backend: str | None = None) -> np.ndarray:
        return adjust_hue(img, _Turn(hue_factor), backend=backend)

    mmcv.adjust_hue = mmcv.image.adjust_hue = photometric.adjust_hue = adjust
