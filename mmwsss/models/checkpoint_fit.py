"""Loads checkpoints after comparing the contents of the file with the needs of the module."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn

from mmwsss.structures import UserInputError
from mmwsss.structures.notices import notice

_NAMED = 3  # names shown in a message
# A counter that files of old PyTorch versions lack; nothing is computed from it.
_COUNTER = 'num_batches_tracked'


@dataclass(frozen=True)
class Fit:
    """How the tensors of a file and those of a module's state dict correspond.

    Attributes:
        fitting: Names in both, of the same shape and kind of number.
        missing: Names that only the module has.
        different: Names in both that do not fit, each with a description of the difference.
        unexpected: Names that only the file has.
    """

    fitting: tuple[str, ...]
    missing: tuple[str, ...]
    different: dict[str, str]
    unexpected: tuple[str, ...]


def compare(state: Mapping[str, object], needed: Mapping[str, Tensor]) -> Fit:
    """Compare the state dict of a file with that of a module: parameters and buffers.

    Args:
        state: What the file has.
        needed: What the module has; its values are ignored.
    """
    differences = {
        name: _difference(state[name], tensor) for name, tensor in needed.items() if name in state
    }
    return Fit(
        fitting=tuple(name for name, problem in differences.items() if not problem),
        missing=tuple(n for n in needed if n not in state and not n.endswith(_COUNTER)),
        different={name: problem for name, problem in differences.items() if problem},
        unexpected=tuple(name for name in state if name not in needed),
    )


def _difference(given: object, needed: Tensor) -> str:
    """Say why a value cannot be copied into a tensor; empty if it can."""
    if not isinstance(given, Tensor):
        return f'{type(given).__name__} instead of a tensor'
    if given.layout != torch.strided or given.is_quantized or given.is_meta:
        return 'sparse, quantised or empty instead of a plain tensor'
    if given.shape != needed.shape:
        return f'{tuple(given.shape)} instead of {tuple(needed.shape)}'
    same_kind = given.is_floating_point() == needed.is_floating_point()
    if not same_kind or given.is_complex() != needed.is_complex():
        return f'{given.dtype} instead of {needed.dtype}'
    return ''


def read_checkpoint(filename: str, *, map_location: object = 'cpu') -> dict:
    """Read a checkpoint from a file or an address without running code from it.

    Raises:
        UserInputError: If it cannot be read or is not a dict.
    """
    try:
        content = _load_checkpoint(filename, map_location=map_location, logger='current')
    except FileNotFoundError as error:
        raise UserInputError(
            f'checkpoint {filename} does not exist, or is not a file. Name an existing one.'
        ) from error
    except OSError as error:
        raise UserInputError(f'checkpoint {filename} cannot be read: {error}.') from error
    if not isinstance(content, dict):
        raise UserInputError(
            f'{filename} is not a checkpoint: it holds a {type(content).__name__}, expected a '
            'dict with the tensors of a model. Name another file.'
        )
    return content


def tensors_of(
    checkpoint: dict, filename: str, revise_keys: Sequence[tuple[str, str]] = ()
) -> OrderedDict[str, object]:
    """Return the state dict of a checkpoint, without the prefix of a distributed wrapper.

    Args:
        checkpoint: Contents of the file.
        filename: Its name, for messages.
        revise_keys: Patterns in the names and their replacements, applied one after the other.

    Raises:
        UserInputError: If there is no state dict, or it has no tensor.
    """
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, dict) or not any(isinstance(v, Tensor) for v in state.values()):
        raise UserInputError(
            f'{filename} is not a checkpoint of a model: it has no tensor'
            f'{" in its state_dict" if state is not checkpoint else ""}. Name another file.'
        )
    tensors = OrderedDict((str(name).removeprefix('module.'), v) for name, v in state.items())
    for pattern, replacement in revise_keys:
        tensors = OrderedDict((re.sub(pattern, replacement, k), v) for k, v in tensors.items())
    if hasattr(state, '_metadata'):  # with it, layers convert files of their older versions
        tensors._metadata = state._metadata  # type: ignore[attr-defined]  # as PyTorch does
    return tensors


def converted(module: nn.Module, state: OrderedDict[str, object]) -> OrderedDict[str, object]:
    """Return what a module makes of a state dict before it looks for its parameters there.

    Modules rename tensors of older versions, or resize position embeddings, in hooks that PyTorch
    calls while it loads. Here they are called in the same order, and the module stays unchanged.

    Args:
        module: The module that is to load it.
        state: The state dict, which stays unchanged.
    """
    metadata = getattr(state, '_metadata', None) or {}

    def convert(part: nn.Module, own: dict, prefix: str) -> dict:
        for hook in part._load_state_dict_pre_hooks.values():
            hook(own, prefix, metadata.get(prefix[:-1], {}), True, [], [], [])
        for name, child in part._modules.items():
            if child is not None:
                below = f'{prefix}{name}.'
                names = [key for key in own if key.startswith(below)]
                own.update(convert(child, {key: own.pop(key) for key in names}, below))
        return own

    result = OrderedDict(convert(module, dict(state), ''))
    result._metadata = metadata  # type: ignore[attr-defined]  # as PyTorch does
    return result


@contextmanager
def _without_conversion(module: nn.Module) -> Iterator[None]:
    """Let a module load the result of :func:`converted` without converting it again."""
    hooks = [(part, part._load_state_dict_pre_hooks) for part in module.modules()]
    for part, _ in hooks:
        part._load_state_dict_pre_hooks = OrderedDict()
    try:
        yield
    finally:
        for part, own in hooks:
            part._load_state_dict_pre_hooks = own


def load_fitting(
    module: nn.Module,
    checkpoint: dict,
    filename: str,
    *,
    new: tuple[str, ...] = (),
    revise_keys: Sequence[tuple[str, str]] = (),
) -> None:
    """Copy a checkpoint into a module, or refuse it and leave the module unchanged.

    Args:
        module: The module; a wrapper for several ranks or views is unwrapped.
        checkpoint: Result of :func:`read_checkpoint`.
        filename: Its file, for messages.
        new: Prefixes of parameters and buffers that may be missing in the file or have another
            shape there; they keep their values.
        revise_keys: See :func:`tensors_of`.

    Raises:
        UserInputError: If something is missing, has another shape, or is not finite.
    """
    module = base_model(module)
    state = converted(module, tensors_of(checkpoint, filename, revise_keys))
    needed = module.state_dict()
    _check_prefixes(new, needed)
    new = tuple(new)  # a config may give a list
    fit = compare(state, needed)
    missing = [name for name in fit.missing if not name.startswith(new)]
    different = {k: text for k, text in fit.different.items() if not k.startswith(new)}
    if missing or different or not fit.fitting:
        raise UserInputError(_misfit(filename, module, fit, missing, different))
    check_finite(state, fit.fitting, filename)
    left_out = [*fit.different, *fit.unexpected]
    started = [*(n for n in fit.missing if n.startswith(new)), *fit.different]
    line = f'{filename}: {len(fit.fitting)} of {len(needed)} tensors loaded'
    if started:
        line += f'; new, so not loaded: {listed(started)}'
    if left_out:
        line += f'; left over in the file: {listed(left_out)}'
    if started or left_out:
        notice(line)
    else:
        print_log(line, 'current')
    for name in left_out:
        del state[name]
    with _without_conversion(module):
        module.load_state_dict(state, strict=False)


def base_model(model: nn.Module) -> nn.Module:
    """Unwrap a data-parallel or test-time-augmentation wrapper."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module  # type: ignore[assignment]  # wrappers hold a module
    return model


def check_finite(state: Mapping[str, object], names: Iterable[str], filename: str) -> None:
    """Refuse weights that are NaN or infinite.

    Raises:
        UserInputError: If there are any; it names the first ones.
    """
    wrong = [n for n in names if isinstance(t := state[n], Tensor) and not t.isfinite().all()]
    if wrong:
        raise UserInputError(
            f'{filename} has NaN or infinite values in {listed(wrong)}: the training that wrote it '
            'had failed. Name an earlier checkpoint.'
        )


def _check_prefixes(new: tuple[str, ...], needed: Mapping[str, Tensor]) -> None:
    if isinstance(new, str) or not all(isinstance(prefix, str) for prefix in new):
        raise UserInputError(
            f"load_new={new!r}: expected a tuple of parameter prefixes, such as ('head.',)."
        )
    for prefix in new:
        if not any(name.startswith(prefix) for name in needed):
            raise UserInputError(
                f'load_new names {prefix!r}, but no parameter of the model has this prefix; '
                f'prefixes are {sorted({name.split(".")[0] + "." for name in needed})}. Correct it.'
            )


def _misfit(
    filename: str,
    module: nn.Module,
    fit: Fit,
    missing: list[str],
    different: dict[str, str],
) -> str:
    problems = []
    if missing:
        problems.append(f'{listed(missing)} missing')
    if different:
        shown = [f'{name}: {text}' for name, text in different.items()]
        problems.append(f'{listed(shown)} different')
    if fit.unexpected:
        problems.append(f'{listed(fit.unexpected)} not in the model')
    total = len(fit.fitting) + len(fit.missing) + len(fit.different)
    return (
        f'{filename} does not fit the model {type(module).__name__} of the config: '
        f'{len(fit.fitting)} of {total} tensors fit; {"; ".join(problems)}. Name the checkpoint '
        'that this config trained, or the config of this checkpoint. If a training stage adds new '
        "parts to a trained model, list their prefixes in its config: load_new=('head.',)."
    )


def listed(names: Iterable[str]) -> str:
    """Count names and show the first ones."""
    names = list(names)
    return f'{len(names)} ({", ".join(names[:_NAMED])}{", ..." if len(names) > _NAMED else ""})'
