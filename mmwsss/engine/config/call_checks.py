"""Checks calls against their signature, for the person who wrote the arguments."""

import inspect
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mmwsss.structures.names import nearest

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_MISSING = re.compile(r'missing \d+ required [\w-]+ arguments?: (.*)')
# Types that configs use for each other, as JSON and Python files write them differently.
_ACCEPTED: dict[Any, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (int, float),
    str: (str,),
    dict: (Mapping,),
    Mapping: (Mapping,),
    list: (list, tuple),
    tuple: (list, tuple),
    Sequence: (list, tuple, str),
    type(None): (type(None),),
}


def describe_misfit(call: Callable, args: Mapping[str, Any], error: TypeError) -> str | None:
    """Say which arguments a call lacks or does not know; None for any other error.

    Args:
        call: A class or function.
        args: Its arguments by name.
        error: What the call raised.
    """
    parameters = parameters_of(call)
    unknown = _UNEXPECTED.search(str(error))
    if unknown and unknown[1] in args:
        similar = nearest(unknown[1], parameters)
        hint = f', did you mean {similar[0]!r}?' if similar else '.'
        return f'has no argument {unknown[1]!r}{hint} {_listed(parameters)}'
    missing = _MISSING.search(str(error))
    if missing and not _binds(call, args):
        return f'lacks {missing[1]}. {_listed(parameters)}'
    return None


def _binds(call: Callable, args: Mapping[str, Any]) -> bool:
    try:
        inspect.signature(call).bind(**args)
    except TypeError:
        return False
    return True


def check_call(call: Callable, args: Mapping[str, Any]) -> None:
    """Refuse arguments that do not fit a signature, without calling.

    If a call takes any keyword, a keyword that resembles the name of an argument counts as
    misspelt, because the call would silently drop it.

    Raises:
        TypeError: As the call itself would.
    """
    name = getattr(call, '__name__', str(call))
    parameters, known = inspect.signature(call).parameters, parameters_of(call)
    for key in args:
        if key in known or key in parameters:
            continue
        if not takes_any_keyword(call) or nearest(key, known, cutoff=0.85):
            raise TypeError(f'{name}() got an unexpected keyword argument {key!r}')
    required = [
        repr(key)
        for key, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    lacking = [key for key in required if key.strip("'") not in args]
    if lacking:
        raise TypeError(
            f'{name}() missing {len(lacking)} required keyword arguments: {", ".join(lacking)}'
        )


def takes_any_keyword(call: Callable) -> bool:
    """Tell whether a call takes unknown keywords, ``**kwargs``."""
    parameters = inspect.signature(call).parameters.values()
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def parameters_of(call: Callable) -> dict[str, inspect.Parameter]:
    """Return the parameters by name, including those of parents if a class passes keywords on."""
    found: dict[str, inspect.Parameter] = {}
    for owner in inspect.getmro(call) if inspect.isclass(call) else (call,):
        function = owner.__dict__.get('__init__') if inspect.isclass(owner) else owner
        if function is None:
            continue
        try:
            own = inspect.signature(function).parameters
        except (TypeError, ValueError):  # written in C
            break
        found.update({k: p for k, p in own.items() if k not in found and k != 'self'})
        if all(p.kind is not p.VAR_KEYWORD for p in own.values()):
            break
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {k: p for k, p in found.items() if p.kind not in variable}


def _listed(parameters: Mapping[str, inspect.Parameter]) -> str:
    """List arguments: required ones by name, others with their default."""
    empty = inspect.Parameter.empty
    entries = [
        name if parameter.default is empty else f'{name}={short(parameter.default)}'
        for name, parameter in parameters.items()
    ]
    return f'Its arguments: {", ".join(entries)}.'


def short(value: Any) -> str:
    """Show a value on one line, cut to forty characters."""
    text = ' '.join(repr(value).split())
    return text if len(text) <= 40 else f'{text[:40]}...'


def wrong_types(call: Callable, args: Mapping[str, Any]) -> str:
    """Name arguments whose values do not have the annotated type; empty if all may fit."""
    hints: dict[str, Any] = {}
    for owner in reversed(inspect.getmro(call)) if inspect.isclass(call) else (call,):
        function = owner.__dict__.get('__init__') if inspect.isclass(owner) else owner
        try:
            hints.update(get_type_hints(function))
        except (AttributeError, NameError, TypeError):  # no hints, or only for type checking
            continue
    return ', '.join(
        f'{name}={short(value)} is a {type(value).__name__}, expected {_readable(hints[name])}'
        for name, value in args.items()
        if name in hints and not _fits(value, hints[name])
    )


def _fits(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    accepted = _ACCEPTED.get(origin or hint)
    if accepted is None:  # a class or a type variable, which cannot be judged here
        return True
    if isinstance(value, bool) and (origin or hint) in (int, float):
        return False
    if not isinstance(value, accepted):
        return False
    if isinstance(value, list | tuple) and get_args(hint):
        options = [option for option in get_args(hint) if option is not Ellipsis]
        return all(any(_fits(item, option) for option in options) for item in value)
    return True


def _readable(hint: Any) -> str:
    return hint.__name__ if inspect.isclass(hint) and not get_args(hint) else str(hint)
