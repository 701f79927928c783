"""What autodoc and napoleon do not know of this project's code."""

import re
from typing import Any

from sphinx.application import Sphinx

SECTION = re.compile(r'(Differs|Legend|Shape|Source|Source of all):( |$)')


def prepare(
    app: Sphinx, kind: str, name: str, definition: object, options: Any, lines: list[str]
) -> None:
    """Turn ``Source: ...`` and the like into fields beside the parameters: ``:Source: ...``.

    The whole paragraph belongs to the field, indented or not.
    """
    inside = False
    for index, line in enumerate(lines):
        if SECTION.match(line):
            inside = True
            lines[index] = f':{line}'
        elif inside:
            inside = bool(line)
            lines[index] = f'    {line}' if inside and not line.startswith(' ') else line
    if kind in ('attribute', 'data', 'property'):
        lines.insert(0, '')  # else napoleon takes the words before a colon for a type


def write_factories(
    app: Sphinx,
    kind: str,
    name: str,
    definition: object,
    options: Any,
    arguments: str | None,
    returned: str | None,
) -> tuple[str, str | None] | None:
    """Give a default that a dataclass makes anew as ``...``: ``<factory>`` is not Python."""
    return arguments and (arguments.replace('<factory>', '...'), returned)


def skip_fields(
    app: Sphinx, kind: str, name: str, member: object, skipped: bool, options: Any
) -> bool | None:
    """Leave out the fields of named tuples: the docstring of the class describes them."""
    return True if type(member).__name__ == '_tuplegetter' else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Prepare docstrings before napoleon, which is connected with priority 500."""
    app.connect('autodoc-process-docstring', prepare, priority=400)
    app.connect('autodoc-process-signature', write_factories)
    app.connect('autodoc-skip-member', skip_fields)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
