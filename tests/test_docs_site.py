"""The documentation site has an entry for every component; `make docs` checks its links."""

import inspect
import re

from test_docs import ROOT, own_components

API = {path.stem: path.read_text() for path in (ROOT / 'docs' / 'api').glob('*.md')}


def component_sections() -> list[str]:
    """Headings of docs/methods.md with a table of components."""
    sections = re.split(r'^## ', (ROOT / 'docs' / 'methods.md').read_text(), flags=re.MULTILINE)
    return [text.partition('\n')[0] for text in sections if '\n| component |' in text]


def test_every_section_of_components_is_on_one_page():
    shown = [section for text in API.values() for section in re.findall(r'{components} (.+)', text)]
    assert sorted(shown) == sorted(component_sections())


def test_every_page_is_in_a_table_of_contents():
    for folder in ('docs', 'docs/api'):
        index = ROOT / folder / 'index.md'
        listed = set(re.findall(r'[\w/]+', ''.join(contents(index.read_text()))))
        pages = {page.stem for page in index.parent.glob('*.md')} - {'index'}
        assert not pages - listed, f'{folder}/index.md has no {pages - listed}'


def contents(text: str) -> list[str]:
    return re.findall(r'```{toctree}\n(.*?)```', text, flags=re.DOTALL)


def test_every_argument_of_a_component_is_described():
    gaps = {name: missing_arguments(component) for name, component in own_components().items()}
    assert not {name: missing for name, missing in gaps.items() if missing}


def missing_arguments(component: type) -> set[str]:
    """Arguments that the class itself takes and its docstring does not have."""
    own = vars(component).get('__init__', object.__init__)
    taken = {
        parameter.name
        for parameter in inspect.signature(own).parameters.values()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    doc = inspect.getdoc(component) or ''
    return taken - {'self'} - set(re.findall(r'^    (\w+): ', doc, flags=re.MULTILINE))
