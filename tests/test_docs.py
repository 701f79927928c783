"""The documents name what exists: components, configs, links, commands."""

import functools
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from mmengine.registry import Registry

from mmwsss import registry

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
DOCS = sorted(
    path
    for pattern in ('*.md', 'docs/**/*.md', 'configs/**/*.md', '.github/**/*.md')
    for path in ROOT.glob(pattern)
)
METHODS = (ROOT / 'docs' / 'methods.md').read_text()
STAGES = sorted(
    path
    for path in CONFIGS.glob('*/*.py')
    if path.parent.name != '_base_' and 'stages = ' not in path.read_text()
)


def table_rows(text: str) -> Iterator[dict[str, str]]:
    """Rows of all tables as {column: cell}; a column is named after its heading."""
    heading: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip('|').split('|')]
        if not line.startswith('|'):
            heading = []
        elif not heading:
            heading = cells
        elif not set(line) <= set('|-: '):
            yield dict(zip(heading, cells, strict=True))


COMPONENTS = {row['component'].strip('`'): row for row in table_rows(METHODS) if 'component' in row}
COLUMNS = {
    row['column']: re.findall(r'`([^`]+)`', row['configs'])
    for row in table_rows(METHODS)
    if 'column' in row
}


@functools.cache
def read_once(path: Path) -> Config:
    """A config, shared by all tests of the documents, which do not change it."""
    return Config.fromfile(path)


def own_components() -> dict[str, type]:
    found: dict[str, type] = {}
    for node in vars(registry).values():
        if isinstance(node, Registry) and node.scope == 'mmwsss':
            node.import_from_location()
            found.update(
                {n: c for n, c in node.module_dict.items() if c.__module__.startswith('mmwsss.')}
            )
    return found


def types_in(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node['type'].split('.')[-1]} if isinstance(node.get('type'), str) else set()
        return own.union(*(types_in(value) for value in node.values()))
    if isinstance(node, list | tuple):
        return set().union(*(types_in(value) for value in node))
    return set()


def column_configs(column: str) -> list[Path]:
    return sorted(path for pattern in COLUMNS[column] for path in CONFIGS.glob(pattern))


def test_every_registered_component_is_in_the_table():
    missing = sorted(set(own_components()) - set(COMPONENTS))
    assert not missing, f'add rows to docs/methods.md for {missing}'


def test_the_table_names_registered_components_only():
    unknown = sorted(set(COMPONENTS) - set(own_components()))
    assert not unknown, f'docs/methods.md names {unknown}, which are not registered'


@pytest.mark.parametrize('key', ['requires', 'provides'])
def test_the_table_says_what_components_require_and_provide(key):
    for name, component in own_components().items():
        if key in COMPONENTS[name]:
            named = set(re.findall(r'`([^`]+)`', COMPONENTS[name][key]))
            expected = getattr(component, key, ())
            # A property depends on the instance, as a generator's on its parts.
            if not isinstance(expected, property):
                assert named == set(expected), f'docs/methods.md, {name}: {key}'


@pytest.mark.parametrize('column', COLUMNS)
def test_a_component_is_marked_exactly_where_the_configs_use_it(column):
    paths = column_configs(column)
    assert paths, f'docs/methods.md: no config matches {COLUMNS[column]}'
    used = set().union(*(types_in(read_once(path)._cfg_dict.to_dict()) for path in paths))
    marked = {name for name, row in COMPONENTS.items() if row[column] == 'x'}
    assert marked == used & set(COMPONENTS), f'docs/methods.md, column {column}'


def test_every_config_of_a_stage_belongs_to_a_column():
    covered = {path for column in COLUMNS for path in column_configs(column)}
    leaves = {path for path in CONFIGS.glob('*/*.py') if path.parent.name != '_base_'}
    names = sorted(str(path.relative_to(CONFIGS)) for path in leaves - covered)
    assert not names, f'add {names} to a column of docs/methods.md'


@pytest.mark.parametrize('path', STAGES, ids=lambda path: path.stem)
def test_no_stage_trains_on_true_masks(path):
    config = read_once(path)
    loader = config.get('train_dataloader') or {}
    if 'dataset' not in loader:
        pytest.skip('nothing is trained')
    loaded = types_in(loader.dataset.pipeline)
    assert 'LoadAnnotations' not in loaded
    assert 'seg_map_path' not in loader.dataset.get('data_prefix', {})
    if config.model.type == 'CAMClassifier':
        assert loader.dataset.supervision in ('tag', 'box')
        assert 'LoadPseudoLabels' not in loaded
    else:
        assert loader.dataset.supervision is None


@pytest.mark.parametrize('path', STAGES, ids=lambda path: path.stem)
def test_no_stage_makes_labels_from_true_masks(path):
    config = read_once(path)
    if (config.get('test_cfg') or {}).get('type') != 'PseudoLabelLoop':
        pytest.skip('makes no labels')
    # Any tta_pipeline can be requested, whether or not a pipeline of stages uses it.
    for pipeline in (config.test_dataloader.dataset.pipeline, config.get('tta_pipeline', [])):
        assert not types_in(pipeline) & {'LoadAnnotations', 'LoadPseudoLabels'}


@pytest.mark.parametrize('path', DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path):
    for target in re.findall(r'\]\(([^)\s]+)\)', without_code(path.read_text())):
        if re.match(r'\w+:', target):
            continue
        name, _, anchor = target.partition('#')
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f'{path.name} links to {target}'
        if anchor:
            assert anchor in anchors(file.read_text()), f'{path.name} links to {target}'


@pytest.mark.parametrize('path', DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_is_wrapped_at_100_columns(path):
    text = re.sub(r'\]\(\S+?\)', ']', without_code(path.read_text()))
    # Tables, indented code and HTML, and lines that begin with a code span, cannot be broken.
    lines = [line for line in text.splitlines() if not re.match(r' {4}|\s*[|<`]', line)]
    assert not [line for line in lines if len(line) > 100]


def without_code(text: str) -> str:
    return re.sub(r'```.*?```', '', text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """Anchors that Markdown hosts give to headings."""
    headings = re.findall(r'^#+ (.+)$', without_code(text), flags=re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('path', DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_named_exists(path):
    text = path.read_text().replace('../mmwsss/', '')  # a checkout next to the user's project
    written_here = set(re.findall(r'\*\*`([^`]+)`\*\*', text))
    named = set(re.findall(r'(?:configs|tools|mmwsss|docs)/[\w./-]*\.(?:py|sh|md|yml|svg)', text))
    lost = [name for name in named - written_here if not _exists(name, written_here)]
    assert not lost, f'{path.name} names {lost}'


def _exists(name: str, written_here: set[str]) -> bool:
    # The tutorial's config folder and the label configs of placeholders do not exist on disk.
    in_new_folder = any(Path(name).parent == Path(new).parent for new in written_here)
    return (ROOT / name).exists() or (in_new_folder and name.startswith('configs/'))


def commands() -> list[tuple[str, list[str]]]:
    """All command lines of shell blocks, as (document, words)."""
    found = []
    for path in DOCS:
        for block in re.findall(r'```(?:bash|sh)\n(.*?)```', path.read_text(), flags=re.DOTALL):
            for line in block.replace('\\\n', ' ').splitlines():
                words = shlex.split(line, comments=True)
                words = words[next((i for i, w in enumerate(words) if '=' not in w), 0) :]
                if words:
                    found.append((path.name, words))
    return found


def help_of(script: Path, monkeypatch, capsys) -> str:
    spec = importlib.util.spec_from_file_location(f'_docs_{script.stem}', script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, 'argv', [str(script), '--help'])
    with pytest.raises(SystemExit):
        module.main()
    return capsys.readouterr().out


def test_commands_name_existing_scripts_and_options(monkeypatch, capsys):
    behind = {'dist_train.sh': 'train.py', 'slurm_train.sh': 'train.py', 'dist_test.sh': 'test.py'}
    helps: dict[Path, str] = {}
    for document, words in commands():
        if words[0] not in ('python', 'bash') or not words[1].startswith('tools/'):
            continue
        script = ROOT / words[1]
        assert script.is_file(), f'{document}: {words[1]} does not exist'
        script = script.with_name(behind.get(script.name, script.name))
        if script not in helps:
            helps[script] = help_of(script, monkeypatch, capsys)
        for option in (word for word in words if word.startswith('--')):
            assert re.search(rf'{option}\b', helps[script]), f'{document}: {script.name} {option}'


def test_make_has_the_targets_that_documents_name():
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), flags=re.MULTILINE))
    named = {words[1] for _, words in commands() if words[0] == 'make'}
    assert named <= targets


def test_the_readme_names_both_commands():
    readme = (ROOT / 'README.md').read_text()
    assert 'make demo' in readme
    assert 'make test' in readme


def test_the_model_index_names_existing_files_and_configs():
    for name in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']:
        index = yaml.safe_load((ROOT / name).read_text())
        collections = {collection['Name'] for collection in index['Collections']}
        for collection in index['Collections']:
            assert (ROOT / collection['README']).is_file()
        for model in index['Models']:
            assert model['In Collection'] in collections
            assert (ROOT / model['Config']).is_file(), model['Config']
            assert Path(model['Config']).stem == model['Name']
