"""One line instead of a traceback for a part that cannot be built from its config.

The registries build nested parts themselves, so the traceback tells which part failed and with
which config: every call of ``build_from_cfg`` in it holds both.
"""

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.registry import Registry
from mmengine.registry.build_functions import build_from_cfg

from mmwsss.engine.config.call_checks import (
    check_call,
    describe_misfit,
    parameters_of,
    short,
    takes_any_keyword,
    wrong_types,
)
from mmwsss.structures import UserInputError
from mmwsss.structures.names import nearest

# Their constructors check little, and anything they raise comes from their options.
_LIBRARIES = {'mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'mmseg', 'timm', 'torch', 'torchvision'}
_LONGEST = 600


@contextmanager
def building(stage: str, roots: dict[str, Any]) -> Iterator[None]:
    """Turn a mistake in a config into a one-line error; errors of the code itself pass.

    Args:
        stage: Name of the stage, for the message.
        roots: Maps config keys to the parts of the config that are built inside, including nested
            ones.

    Raises:
        UserInputError: Naming the stage, the config key, what is wrong and what is known.
    """
    try:
        yield
    except Exception as error:
        line = _explain(error, roots)
        if line is None:
            raise
        raise UserInputError(f"stage '{stage}': {line}") from error


def check_component(
    stage: str, key: str, config: Any, registry: Registry, given: dict[str, Any]
) -> None:
    """Refuse a component that does not exist or does not fit its arguments, without building it.

    Args:
        stage: Name of the stage, for the message.
        key: Config key of the component.
        config: Its config.
        registry: Where its type is looked up.
        given: Arguments that it gets from other places.

    Raises:
        UserInputError: Naming the stage, the config key, what is wrong and what is known.
    """
    if not isinstance(config, dict) or 'type' not in config:
        raise UserInputError(
            f"stage '{stage}': {key} must be a dict with a `type`, the name of a component, got "
            f'{config!r}.'
        )
    args = {**given, **config}
    kind, _ = args.pop('type'), args.pop('_scope_', None)
    call, own = find(config, registry)
    if call is None:
        raise UserInputError(f"stage '{stage}': {_unknown_type(key, kind, own)}")
    name = f"stage '{stage}': {key} ({getattr(call, '__name__', call)})"
    args = {k: value for k, value in args.items() if k in parameters_of(call) or k in config}
    check_arguments(name, call, args)
    # The type hints of libraries are not always right.
    if not _is_of_library(call) and (wrong := wrong_types(call, dict(config))):
        raise UserInputError(f'{name}: {wrong}.')


def check_arguments(name: str, call: Callable, args: dict[str, Any]) -> None:
    """Refuse arguments that do not fit the signature of a callable, without calling it.

    Raises:
        UserInputError: If they do not fit; the message starts with `name`, the place of the
            arguments.
    """
    try:
        check_call(call, args)
    except TypeError as error:
        raise UserInputError(f'{name} {describe_misfit(call, args, error)}') from error


def find(config: dict, registry: Registry) -> tuple[Any, Registry]:
    """Look up the component that a config names, or None, and the registry that was asked."""
    kind = config.get('type')
    with registry.switch_scope_and_registry(config.get('_scope_')) as own:
        call = own.get(kind) if isinstance(kind, str) else kind
        return call if callable(call) else None, own


def key_of(node: Any, roots: dict[str, Any]) -> str:
    """Find the config key of a part: of the object itself, an equal one or one of its type."""
    tests = (
        lambda other: other is node,
        lambda other: type(other) is type(node) and other == node,
        lambda other: (
            isinstance(node, dict)
            and isinstance(other, dict)
            and 'type' in node
            and other.get('type') == node['type']
        ),
    )
    for same in tests:
        for key, root in roots.items():
            for found, child in _walk(root, key):
                if same(child):
                    return found
    return ''


def _walk(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    yield key, node
    children: Iterable[tuple[Any, Any]]
    if isinstance(node, dict):
        children = node.items()
    elif isinstance(node, list | tuple):
        children = enumerate(node)
    else:
        return
    for name, child in children:
        yield from _walk(child, f'{key}.{name}' if key else str(name))


def _explain(error: Exception, roots: dict[str, Any]) -> str | None:
    """Say in one line what is wrong with the config, or None if the code itself is wrong."""
    builds = [
        frame.f_locals
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code is build_from_cfg.__code__
    ]
    key = next((k for k in (key_of(f['cfg'], roots) for f in reversed(builds)) if k), '')
    key = key or next(iter(roots))
    if not builds:
        return f'{key}: {_text(error)}' if _is_refusal(error) else None
    innermost = builds[-1]
    cfg, cls = innermost['cfg'], innermost.get('obj_cls')
    if not isinstance(cfg, dict):
        return f'{key} must be a dict with a `type`, got {cfg!r}.'
    if 'obj_type' not in innermost and isinstance(error, KeyError | TypeError):
        return f'{key} lacks `type`, the name of a component; its keys are {sorted(map(str, cfg))}.'
    if cls is None:
        return _unknown_type(key, innermost['obj_type'], innermost['registry'])
    name = f'{key} ({getattr(cls, "__name__", cls)})'
    return _refused_arguments(error, name, cls, dict(innermost['args']))


def _refused_arguments(error: Exception, name: str, cls: Any, args: dict) -> str | None:
    if inspect.isabstract(cls):
        lacking = ', '.join(sorted(cls.__abstractmethods__))
        return f'{name} lacks {lacking}, which its contract requires (mmwsss.structures).'
    if isinstance(error, TypeError) and (misfit := describe_misfit(cls, args, error)):
        return f'{name} {misfit}'
    if _is_refusal(error):
        return f'{name}: {_text(error)}'
    if wrong := wrong_types(cls, args):
        return f'{name}: {wrong}.'
    if _is_of_library(cls) or _is_from_parent(error, cls):
        plain = {k: v for k, v in args.items() if isinstance(v, str | int | float | list | tuple)}
        given = ', '.join(f'{k}={short(v)}' for k, v in plain.items())
        return f'{name}: {type(error).__name__}: {_text(error)}; it was given {given}'
    return None


def _is_from_parent(error: Exception, cls: Any) -> bool:
    """Tell whether a class of ours passed options on to a library's constructor, which failed."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    built = max(i for i, frame in enumerate(frames) if frame.f_code is build_from_cfg.__code__)
    for frame in frames[built + 1 :]:
        if frame.f_code.co_name != '__init__':
            return False
        if frame.f_globals.get('__name__', '').partition('.')[0] in _LIBRARIES:
            return takes_any_keyword(cls)
    return False


def _is_of_library(cls: Any) -> bool:
    return getattr(cls, '__module__', '').partition('.')[0] in _LIBRARIES


def _is_refusal(error: Exception) -> bool:
    """Tell whether an error is how code refuses a value or reports a missing file or package."""
    return isinstance(error, ValueError | AssertionError | ImportError | OSError)


def _unknown_type(key: str, name: Any, registry: Registry) -> str:
    if not isinstance(name, str):
        return f'{key}.type must be the name of a component, got {name!r}.'
    known = _registered(registry)
    line = f'{key}.type = {name!r} is not a registered {registry.name}.'
    if similar := nearest(name, known):
        line += f' The nearest names: {", ".join(similar)}.'
    else:
        line += ' No name is similar; docs/methods.md lists the components.'
    return f'{line} If the component is your own, add its file to custom_imports.'


def _registered(registry: Registry | None) -> set[str]:
    """List the names of a registry and of its parents."""
    names: set[str] = set()
    while registry is not None:
        names.update(registry.module_dict)
        registry = registry.parent
    return names


def _text(error: Exception) -> str:
    """Return the message of an error as one line or, without a message, the line that raised it."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    line = ' '.join(str(text).split())
    if not line:
        last = traceback.extract_tb(error.__traceback__)[-1]
        line = f'{last.line} does not hold'
    return line if len(line) <= _LONGEST else f'{line[:_LONGEST]} ...'
