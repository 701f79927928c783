"""References of docstrings beyond the entries of this site: checked, shown without a link."""

import builtins
import importlib

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.Element
) -> nodes.Node | None:
    """Link a name that a single entry has; keep the text of any other name that exists.

    None, for a name that does not exist, makes Sphinx warn.
    """
    if node.get('refdomain') != 'py':
        return None
    name = node['reftarget']
    objects = env.domains.python_domain.objects
    entries = [full for full in objects if full.endswith(f'.{name}')]
    if len(entries) == 1:
        page = app.builder.get_relative_uri(node['refdoc'], objects[entries[0]].docname)
        return nodes.reference('', '', content, internal=True, refuri=f'{page}#{entries[0]}')
    scope = [part for part in (node.get('py:module'), node.get('py:class')) if part]
    names = ['.'.join([*scope[:count], name]) for count in range(len(scope) + 1)]
    return content if any(exists(full) for full in names) else None


def exists(name: str) -> bool:
    """Whether a module has this dotted name, or an object in a module."""
    first, *rest = name.split('.')
    if not rest:
        return hasattr(builtins, first)
    try:
        value = importlib.import_module(first)
        for end, part in enumerate(rest, start=2):
            if not hasattr(value, part):
                importlib.import_module('.'.join(name.split('.')[:end]))
            value = getattr(value, part)
    except (ImportError, AttributeError):
        return False
    return True


def setup(app: Sphinx) -> dict[str, bool]:
    """Resolve what the domain of Python does not."""
    app.connect('missing-reference', resolve)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
