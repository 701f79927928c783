"""Checkpoints are data: reading one never runs code that it contains.

How mmengine itself reads them depends on the family of packages and the version of PyTorch.
:mod:`mmwsss.compat` applies the functions below.
"""

import os
import pickle
import re
import struct
from pathlib import Path
from typing import Any

import mmengine.runner.checkpoint as mmengine_checkpoint
import numpy as np
import torch
from mmengine.logging import HistoryBuffer

TRUST_VARIABLE = 'MMWSSS_TRUST_CHECKPOINTS'
"""Environment variable; ``1`` lets checkpoints run the code they contain, as ``pickle`` does."""

# Errors raised when the bytes are not a checkpoint: the parsers check very little.
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


def keep_functions_out_of_checkpoints() -> None:
    """Save the history of a log as plain numbers, so that a checkpoint can be read safely.

    mmengine saves the statistics methods with every history. They are functions of the class and
    the same in every run, yet only because of them do its checkpoints need ``weights_only=False``.
    """
    HistoryBuffer.__getstate__ = _history_state
    HistoryBuffer.__setstate__ = _set_history_state
    _allow_data_types()


def _allow_data_types() -> None:
    torch.serialization.add_safe_globals([HistoryBuffer, *_numpy_globals()])


def _history_state(self: HistoryBuffer) -> dict[str, Any]:
    return {k: v for k, v in vars(self).items() if k != 'statistics_methods'}


def _set_history_state(self: HistoryBuffer, state: dict[str, Any]) -> None:
    # Methods in the file are dropped: those of the running program are correct and safe.
    self._set_default_statistics()
    vars(self).update({k: v for k, v in state.items() if k != 'statistics_methods'})


def _numpy_globals() -> list[Any]:
    """List what numeric arrays and scalars are made of, under the names of numpy 1 and numpy 2."""
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

    The forks fall back to running the code of an unsafe file. With the originals, the behaviour
    depends on the version of PyTorch.
    """
    register = mmengine_checkpoint.CheckpointLoader.register_scheme
    register(prefixes='', loader=load_from_local, force=True)
    # The loaders of URLs and of model zoo names all end here.
    mmengine_checkpoint.load_url = load_checkpoint_url


# mmengine strips the first ten letters of the name and logs the rest, 'local'.
def load_from_local(filename: str, map_location: Any) -> Any:
    """Read a checkpoint from the local disk for mmengine; see :func:`load_checkpoint_file`."""
    return load_checkpoint_file(filename, map_location=map_location)


def load_checkpoint_file(filename: str | Path, *, map_location: Any = None) -> Any:
    """Read a checkpoint without running anything that it contains.

    Tensors, plain Python values, numpy arrays and scalars, and mmengine's log histories are read.
    Everything else is refused unless the environment variable ``MMWSSS_TRUST_CHECKPOINTS`` is
    ``1``.

    Raises:
        FileNotFoundError: If there is no such file.
        UserInputError: If the file contains code, or is not a checkpoint.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {filename} does not exist.')
    _allow_data_types()  # again: when the fork loads a file itself, it takes them off the list
    with path.open('rb') as file:  # a file that cannot be opened is not a damaged one
        try:
            safe = not _trusts_checkpoints()
            return torch.load(file, map_location=map_location, weights_only=safe)
        except _DAMAGE as error:
            if re.search('CUDA|memory', str(error)):  # the device is missing or full
                raise
            raise _refusal(str(filename), error) from error


def load_checkpoint_url(
    url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True
) -> Any:
    """Download a checkpoint and read it without running anything that it contains.

    Raises:
        UserInputError: If the file contains code, or is not a checkpoint.
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
        # PyTorch's own text is long and advises running the code in the file.
        return UserInputError(
            f'{name} cannot be read as a PyTorch checkpoint: it is empty, cut off, damaged or '
            f'another kind of file ({type(error).__name__}). Copy it again, or delete it and rerun '
            'the stage that made it.'
        )
    return UserInputError(
        f'{name} is refused: it contains code ({code[1]}) that would run on loading. If you made '
        f'it yourself or trust its source, set {TRUST_VARIABLE}=1.'
    )
