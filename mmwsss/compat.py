"""What differs between package versions, met in one place.

OpenMMLab's packages come as the original ones and as the maintained ``onedl-`` forks with the same
import names. :func:`apply` makes either family work with a current PyTorch; ``import mmwsss`` calls
it. Nothing else in the project asks for a package's version.
"""

import functools
import importlib.machinery
import importlib.util
import logging
import os
import pickle
import re
import struct
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import mmengine.logging
import mmengine.runner.checkpoint as mmengine_checkpoint
import numpy as np
import torch
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import HistoryBuffer
from mmengine.logging.logger import print_log as mmengine_print_log

TRUST_VARIABLE = 'MMWSSS_TRUST_CHECKPOINTS'
"""Environment variable; ``1`` lets checkpoints run the code they contain, as ``pickle`` does."""

# What reading bytes that are no checkpoint ends in: its parsers check little.
_DAMAGE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)

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


# Checkpoints


def keep_functions_out_of_checkpoints() -> None:
    """Save the history of a log as numbers alone, so that a checkpoint can be read safely.

    mmengine saves the statistics methods with every history. They are functions of the class, the
    same in every run, and the only reason why its checkpoints need ``weights_only=False``.
    """
    HistoryBuffer.__getstate__ = _history_state
    HistoryBuffer.__setstate__ = _set_history_state
    _allow_data_types()


def _allow_data_types() -> None:
    torch.serialization.add_safe_globals([HistoryBuffer, *_numpy_globals()])


def _history_state(self: HistoryBuffer) -> dict[str, Any]:
    return {k: v for k, v in vars(self).items() if k != 'statistics_methods'}


def _set_history_state(self: HistoryBuffer, state: dict[str, Any]) -> None:
    # Methods in the file are dropped: those of the running program are right, and are no danger.
    self._set_default_statistics()
    vars(self).update({k: v for k, v in state.items() if k != 'statistics_methods'})


def _numpy_globals() -> list[Any]:
    """List what an array or a scalar of numbers is made of, as numpy 1 and numpy 2 name it."""
    core = np._core if hasattr(np, '_core') else np.core
    functions = [core.multiarray._reconstruct, core.multiarray.scalar]
    names = [
        (function, f'numpy.{folder}.multiarray.{function.__name__}')
        for function in functions
        for folder in ('core', '_core')
    ]
    dtypes = {type(np.dtype(code)) for code in np.typecodes['AllInteger'] + '?efdg'}
    return [*names, np.ndarray, np.dtype, *dtypes]


def refuse_code_in_checkpoints() -> None:
    """Make mmengine read checkpoint files and downloads as data, never as code.

    The forks fall back to running the code of a file that is not safe; with the originals, what
    happens depends on the version of PyTorch.
    """
    register = mmengine_checkpoint.CheckpointLoader.register_scheme
    register(prefixes='', loader=load_from_local, force=True)
    # The loaders of URLs and of model zoo names all end here.
    mmengine_checkpoint.load_url = load_checkpoint_url


# mmengine cuts the first ten letters of the name and logs the rest: 'local'.
def load_from_local(filename: str, map_location: Any) -> Any:
    """Read a checkpoint of the local disk for mmengine; see :func:`load_checkpoint_file`."""
    return load_checkpoint_file(filename, map_location=map_location)


def load_checkpoint_file(filename: str | Path, *, map_location: Any = None) -> Any:
    """Read a checkpoint without running anything that it contains.

    Tensors, plain Python values, arrays and scalars of numpy, and mmengine's log histories are
    read; everything else is refused, unless the environment variable
    ``MMWSSS_TRUST_CHECKPOINTS`` is ``1``.

    Raises:
        FileNotFoundError: If there is no such file.
        UserInputError: If the file contains code, or is no checkpoint.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {filename} does not exist.')
    _allow_data_types()  # again: where the fork loads a file by itself, it takes them off the list
    with path.open('rb') as file:  # what cannot be opened is another error than what is inside
        try:
            safe = not _trusts_checkpoints()
            return torch.load(file, map_location=map_location, weights_only=safe)
        except _DAMAGE as error:
            if re.search('CUDA|memory', str(error)):  # a device that is missing, or full
                raise
            raise _refusal(str(filename), error) from error


def load_checkpoint_url(
    url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True
) -> Any:
    """Download a checkpoint and read it without running anything that it contains.

    Raises:
        UserInputError: If the file contains code, or is no checkpoint.
    """
    _allow_data_types()
    load, safe = torch.hub.load_state_dict_from_url, not _trusts_checkpoints()
    try:
        return load(url, model_dir, map_location, progress, weights_only=safe)
    except (pickle.UnpicklingError, EOFError, LookupError) as error:
        raise _refusal(url, error) from error


def _trusts_checkpoints() -> bool:
    return os.environ.get(TRUST_VARIABLE) == '1'


def _refusal(name: str, error: Exception) -> Exception:
    # Imported here, because the package applies this module before anything else.
    from mmwsss.structures.errors import UserInputError

    code = re.search(r'GLOBAL (\S+)', str(error))
    if code is None:
        # PyTorch's own text is long, and advises to run what is in the file.
        return UserInputError(
            f'{name} cannot be read as a checkpoint of PyTorch: it is empty, cut off, damaged or '
            f'another kind of file ({type(error).__name__}). Copy it again, or delete it and run '
            'what made it.'
        )
    return UserInputError(
        f'{name} is refused: it contains code ({code[1]}), which loading would run. If you made '
        f'it yourself or trust its source, set {TRUST_VARIABLE}=1.'
    )


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
