"""The documents explain the options that no config sets."""

import functools
import inspect
import re
from collections.abc import Iterator, Mapping

import pytest
from test_docs import CONFIGS, DOCS, METHODS, own_components, read_once, table_rows

from mmwsss.registry import type_name
from mmwsss.structures import Checked


def options_of(component: type) -> dict[str, str]:
    """Optional arguments of a component, each with the class of this package that names it."""
    owners: dict[str, str] = {}
    for cls in component.__mro__:
        if '__init__' not in vars(cls):
            continue
        if not cls.__module__.startswith('mmwsss.'):
            break  # the rest are options of a library
        parameters = inspect.signature(cls.__init__).parameters.values()
        for parameter in parameters:
            if parameter.default is not parameter.empty:
                owners.setdefault(parameter.name, cls.__name__)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return owners


def typed_nodes(node: object, kind: str | None = None) -> Iterator[tuple[str, dict]]:
    """All components in a config, at any depth, with their type."""
    if isinstance(node, dict):
        kind = type_name(node) or kind
        if kind:
            yield kind, node
        for key, child in node.items():
            part = part_types(kind).get(key)
            yield from typed_nodes(child, part and part.__name__)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from typed_nodes(child)


@functools.cache
def part_types(kind: str | None) -> Mapping[str, type]:
    """Options of one of our components whose type follows from their place."""
    component = own_components().get(kind)
    return component.part_types if component and issubclass(component, Checked) else {}


@pytest.fixture(scope='module')
def unset() -> set[str]:
    """Options that no config sets, as `Class(option)`."""
    components = own_components()
    owners = {name: options_of(component) for name, component in components.items()}
    found = {f'{cls}({option})' for own in owners.values() for option, cls in own.items()}
    for path in CONFIGS.glob('**/*.py'):
        if '_base_' not in path.parts:
            for kind, node in typed_nodes(read_once(path)._cfg_dict.to_dict()):
                own = owners.get(kind, {})
                found -= {f'{own[option]}({option})' for option in own.keys() & node.keys()}
    return found


@pytest.fixture(scope='module')
def explained() -> list[str]:
    """Options in the tables of the documents, as `Class(option)`."""
    rows = (row for path in DOCS for row in table_rows(path.read_text()) if 'kept for' in row)
    cells = re.findall(r'`(\w+)\(([\w, ]+)\)`', ' '.join(row['option'] for row in rows))
    return [f'{cls}({option})' for cls, options in cells for option in options.split(', ')]


def test_an_option_that_no_config_sets_has_a_reason(unset, explained):
    missing = sorted(unset - set(explained))
    assert not missing, (
        f'no config sets {missing}: remove them, or say what they are kept for in the table '
        "`option | kept for` of the method's README or of docs/methods.md"
    )


def test_reasons_are_given_once_for_options_that_no_config_sets(unset, explained):
    stale = sorted(set(explained) - unset)
    assert not stale, f'{stale} are gone or set by a config: remove them from the table'
    assert len(explained) == len(set(explained))


# What MMEngine's runner hands over, and the first weights that every module takes.
NOT_LISTED = {
    *('runner', 'dataloader', 'evaluator', 'module', 'dataset', 'data_preprocessor'),
    'init_cfg',
}


def arguments_of(component: type) -> dict[str, object]:
    """Arguments of a component that a config may set, each with its default."""
    found: dict[str, object] = {}
    for cls in component.__mro__:
        if '__init__' not in vars(cls):
            continue
        if not cls.__module__.startswith('mmwsss.'):
            break
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind is not parameter.VAR_KEYWORD:
                found.setdefault(parameter.name, parameter.default)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return {name: default for name, default in found.items() if name not in NOT_LISTED}


def listed_arguments() -> dict[str, dict[str, str]]:
    """Arguments in the table of docs/methods.md, each with the default that it shows, or ''."""
    table = (row for row in table_rows(METHODS) if 'type' in row)
    cells = {row['type'].strip('`'): row['arguments'] for row in table}
    listed = {}
    for name, cell in cells.items():
        same = re.fullmatch(r'those of `(\w+)`', cell)
        found = re.findall(r'`([a-z]\w*)`(?: = `([^`]+)`)?', cells[same[1]] if same else cell)
        listed[name] = dict(found)
    return listed


def test_the_arguments_of_every_component_are_listed():
    listed = listed_arguments()
    for name, component in own_components().items():
        expected = arguments_of(component)
        assert set(listed.get(name, {})) == set(expected), f'docs/methods.md, arguments of {name}'
        for argument, shown in listed.get(name, {}).items():
            default = expected[argument]
            if default in (inspect.Parameter.empty, None, '', ()) or argument == 'meta_keys':
                assert not shown, f'docs/methods.md: {name}({argument}) has no default to show'
            else:
                assert shown == repr(default), f'docs/methods.md: default of {name}({argument})'
    assert listed.keys() <= own_components().keys()
