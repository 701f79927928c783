"""Entries of the API pages: components by their section in docs/methods.md, and public functions.

``{components} <section>`` and ``{definitions} <module> ...`` in a page become an entry for each.
A component without an entry anywhere is a warning, and so an error of ``make docs``.
"""

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

from docutils import nodes
from mmengine.registry import Registry
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from mmwsss import registry

METHODS = Path(__file__).parents[1] / 'methods.md'
LOGGER = logging.getLogger(__name__)


@functools.cache
def own_components() -> dict[str, type]:
    """All components that this package registers, by name."""
    found: dict[str, type] = {}
    for node in vars(registry).values():
        if isinstance(node, Registry) and node.scope == 'mmwsss':
            node.import_from_location()
            found |= {
                name: component
                for name, component in node.module_dict.items()
                if component.__module__.startswith('mmwsss.')
            }
    return found


def names_in_section(heading: str) -> list[str]:
    """Names in the table of components below a heading of docs/methods.md."""
    for section in re.split(r'^## ', METHODS.read_text(), flags=re.MULTILINE):
        title, _, text = section.partition('\n')
        if title == heading:
            return re.findall(r'^\| `(\w+)` \|', text, flags=re.MULTILINE)
    return []


def modules_of(name: str) -> Iterator[ModuleType]:
    """A module, or all modules of a package."""
    module = importlib.import_module(name)
    if hasattr(module, '__path__'):
        for child in pkgutil.iter_modules(module.__path__, f'{name}.'):
            yield from modules_of(child.name)
    else:
        yield module


def public_definitions(module: ModuleType) -> list[Callable]:
    """Public functions and classes of a module, in their order, without components."""
    components = own_components().values()
    return [
        value
        for name, value in vars(module).items()
        if getattr(value, '__module__', None) == module.__name__
        and hasattr(value, '__qualname__')
        and not name.startswith('_')
        and value not in components
    ]


def entry(definition: Callable) -> str:
    """The directive of autodoc for a class or a function."""
    name = f'{definition.__module__}.{definition.__qualname__}'
    if not inspect.isclass(definition):
        return f'.. autofunction:: {name}\n'
    if definition in own_components().values():
        bases = '   :show-inheritance:\n' if definition.__bases__ != (object,) else ''
        return f'.. autoclass:: {name}\n{bases}'
    return f'.. autoclass:: {name}\n   :members:\n   :special-members: __call__\n'


class Components(SphinxDirective):
    """An entry for every component in a section of docs/methods.md."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Write the entries."""
        components = own_components()
        self.env.note_dependency(str(METHODS))
        names = names_in_section(self.arguments[0])
        if not names:
            raise self.error(f'docs/methods.md has no components below "{self.arguments[0]}".')
        classes = dict.fromkeys(components[name] for name in names)  # one may have two names
        return self.parse_text_to_nodes(_restructured(entry(one) for one in classes))


class Definitions(SphinxDirective):
    """An entry for every public function and class of modules that is not a component."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Write the entries."""
        entries = []
        for name in self.arguments[0].split():
            for module in modules_of(name):
                found = [entry(definition) for definition in public_definitions(module)]
                if found:
                    title = f'.. rubric:: {module.__name__}\n'
                    entries += [title, f'.. automodule:: {module.__name__}\n', *found]
        return self.parse_text_to_nodes(_restructured(entries))


def _restructured(entries: Iterable[str]) -> str:
    return '```{eval-rst}\n' + '\n'.join(entries) + '```\n'


def check_completeness(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of components that have no entry."""
    described = env.domains.python_domain.objects
    for name, component in sorted(own_components().items()):
        if f'{component.__module__}.{component.__qualname__}' not in described:
            LOGGER.warning('component %s has no entry on a page of docs/api/', name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both directives and the check."""
    app.add_directive('components', Components)
    app.add_directive('definitions', Definitions)
    app.connect('env-check-consistency', check_completeness)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
