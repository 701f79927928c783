"""The page of a method says what its pipeline does and what was measured."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config
from test_docs import COMPONENTS, CONFIGS, ROOT, table_rows

PAGES = sorted(set((ROOT / 'docs/methods').glob('*.md')) - {ROOT / 'docs/methods/index.md'})
each_page = pytest.mark.parametrize('path', PAGES, ids=lambda path: path.stem)


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its level."""
    found = re.search(rf'^## {heading}$(.*?)(?=^## |\Z)', text, flags=re.MULTILINE | re.DOTALL)
    assert found, f'no heading "{heading}"'
    return found.group(1)


def linked(cell: str) -> Path:
    """The first config that a cell links to."""
    return CONFIGS / re.search(r'\]\(\.\./\.\./configs/([^)]+)\)', cell).group(1)


@each_page
def test_a_page_has_the_stages_of_its_pipeline(path):
    rows = list(table_rows(section(path.read_text(), 'Recipe')))
    cell = next(row[''] for row in rows if row.get('recipe') == 'pipeline')
    stages = Config.fromfile(linked(cell)).stages
    shown = {row['stage'].strip('`'): linked(row['config']) for row in rows if 'stage' in row}
    assert list(shown) == list(stages)
    assert shown == {name: CONFIGS / stage.config for name, stage in stages.items()}


@each_page
def test_measured_figures_of_a_page_are_those_of_the_results(path):
    measured = set(re.findall(r'\d+\.\d+', (ROOT / 'docs/results.md').read_text()))
    rows = list(table_rows(section(path.read_text(), 'Measured with this project')))
    figures = {row['mIoU'] for row in rows}
    assert figures
    assert figures <= measured


@each_page
def test_a_page_names_registered_components_only(path):
    rows = table_rows(section(path.read_text(), 'Its components elsewhere'))
    named = {name for row in rows for name in re.findall(r'`(\w+)`', row['component'])}
    assert named
    assert named <= set(COMPONENTS)


@pytest.mark.parametrize('path', sorted((ROOT / 'docs/images').glob('*.svg')), ids=lambda p: p.stem)
def test_a_drawing_is_small_and_has_a_title(path):
    text = path.read_text()
    assert len(text) < 10_000
    assert '<title>' in text
