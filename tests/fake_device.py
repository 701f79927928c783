"""A device without hardware that shows what would make the host wait for a GPU.

Tensors on the device ``fake`` keep their values in CPU memory, so that everything runs.
Each operation is inspected: what a GPU refuses, or what would make the host wait, is recorded with
the line that caused it. PyTorch allows one such device per process, for its whole life, and the
autograd engine must start after it. Use a separate process, as :mod:`on_fake_device` does.
"""

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import mmengine
import mmseg
import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

import mmwsss

NAME = 'fake'
READ = 'host read'  # a value is copied to the host, which waits for it
COPY = 'blocking copy'  # from the host, without non_blocking
MASK = 'boolean index'  # the shape of the result depends on values
MIX = 'mixed devices'  # a GPU raises an error, or copies a host index in every call

aten = torch.ops.aten
_READS = {
    *(aten._local_scalar_dense, aten.item, aten.is_nonzero, aten.equal),
    *(aten.nonzero, aten.masked_select, aten._unique2, aten.unique_dim, aten.unique_consecutive),
    *(aten.bincount, aten.histc),
}
_PICKING = {aten.index, aten._unsafe_index}
_INDEXING = {*_PICKING, aten.index_put, aten.index_put_, aten._index_put_impl_}

_FOLDERS = {
    package.__name__: f'{Path(package.__file__).parent}/' for package in (mmwsss, mmseg, mmengine)
}


class Event(NamedTuple):
    """What happened, in which part of the work and where."""

    part: str
    kind: str
    place: str  # file and function
    lines: str  # that line, and that of this package which called it


EVENTS: Counter[Event] = Counter()
_part = ''


@contextmanager
def part_of_work(name: str):
    """Assign events to a part of the work."""
    global _part
    before, _part = _part, name
    try:
        yield
    finally:
        _part = before


class FakeTensor(torch.Tensor):
    """A tensor on the device; ``elem`` holds its values."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, elem: torch.Tensor) -> 'FakeTensor':
        is_strided = elem.layout == torch.strided
        like = elem if is_strided else torch.empty(elem.size(), device='meta')
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            elem.size(),
            strides=like.stride(),
            storage_offset=like.storage_offset(),
            dtype=elem.dtype,
            device=torch.device(NAME, 0),
        )
        made.elem = elem
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})

    def tolist(self) -> list:
        """Read all values without an operation."""
        _note(READ)
        return self.elem.tolist()

    def __repr__(self) -> str:
        return f'FakeTensor({self.elem})'

    def __reduce_ex__(self, protocol: int) -> tuple:
        return torch.Tensor.detach, (self.elem,)


class _Mode(TorchDispatchMode):
    """Sees operations that create a tensor on the device from none that is already there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Backend(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]

    def synchronize(self, *_: object) -> None:
        pass

    def empty_cache(self) -> None:
        pass


def start() -> None:
    """Register the device in this process, until it ends."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_Backend())
    torch.__future__.set_swap_module_params_on_conversion(True)
    torch._C._set_only_lift_cpu_tensors(True)
    _Mode().__enter__()


def _run(func, args: tuple, kwargs: dict) -> Any:
    """Record what an operation does, and run it on the values."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    packet = func.overloadpacket
    if packet in (aten.is_pinned, aten._pin_memory):
        return args[0] if packet is aten._pin_memory else False
    is_on_device = _look(packet, args, kwargs, tensors)
    if _is_device(kwargs.get('device')):
        kwargs = {**kwargs, 'device': 'cpu'}
    plain = tree_map(_unwrapped, (args, kwargs))
    result = func(*plain[0], **plain[1])
    if not is_on_device:
        return result
    wrapped = tree_map(_wrapped, result)
    involved = tree_leaves((plain, result))
    if any(isinstance(t, torch.Tensor) and t.layout != torch.strided for t in involved):
        return args[0] if func._schema.returns[0].alias_info else wrapped
    if packet is aten._to_copy or not any(isinstance(t, FakeTensor) for t in tensors):
        return wrapped
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


def _unwrapped(leaf: Any) -> Any:
    return leaf.elem if isinstance(leaf, FakeTensor) else leaf


def _wrapped(leaf: Any) -> Any:
    return FakeTensor(leaf) if isinstance(leaf, torch.Tensor) else leaf


def _look(packet, args: tuple, kwargs: dict, tensors: list[torch.Tensor]) -> bool:
    """Record what the host waits for; return whether the result is on the device."""
    here = [isinstance(tensor, FakeTensor) for tensor in tensors]
    target = kwargs.get('device')
    if packet is aten._to_copy:
        goal = here[0] if target is None else _is_device(target)
        _look_at_copy(here[0], goal, kwargs.get('non_blocking'))
        return goal
    if packet is aten.copy_:
        _look_at_copy(here[1], here[0], kwargs.get('non_blocking') or args[2:] == (True,))
        return here[0]
    if packet in _INDEXING:
        index = [part for part in args[1] if part is not None]
        if here[0] and any(part.dtype in (torch.bool, torch.uint8) for part in index):
            _note(MASK)
        values = [] if packet in _PICKING else [args[2]]
        others = index + [value for value in values if value.dim()]
        if any(isinstance(other, FakeTensor) != here[0] for other in others):
            _note(MIX)
        return here[0]
    if target is not None:
        return _is_device(target)
    if any(here):
        if any(not is_here and t.dim() for is_here, t in zip(here, tensors, strict=True)):
            _note(MIX)
        if packet in _READS or (
            packet is aten.repeat_interleave and kwargs.get('output_size') is None
        ):
            _note(READ)
    return any(here)


def _look_at_copy(source: bool, goal: bool, non_blocking: bool | None) -> None:
    if source and not goal:
        _note(READ)
    elif goal and not source and not non_blocking:
        _note(COPY)


def _is_device(target: object) -> bool:
    return target is not None and torch.device(target).type == NAME


def _note(kind: str) -> None:
    """Count an event at the line of this package, or of the library that causes it."""
    frames = []
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if path != __file__ and '/torch/' not in path and not path.startswith('<'):
            frames.append((path, frame.f_code.co_name, frame.f_lineno))
        frame = frame.f_back
    nearest = next((f for f in frames if _library(f[0])), frames[0])
    own = next((f for f in frames if _library(f[0]) == 'mmwsss'), nearest)
    lines = dict.fromkeys(f'{_short(path)}:{line}' for path, _, line in (nearest, own))
    EVENTS[Event(_part, kind, f'{_short(nearest[0])} {nearest[1]}', ' < '.join(lines))] += 1


def _library(path: str) -> str:
    return next((name for name, folder in _FOLDERS.items() if path.startswith(folder)), '')


def _short(path: str) -> str:
    name = _library(path)
    return f'{name}/{path.removeprefix(_FOLDERS[name])}' if name else Path(path).name
