"""Layers of the configs: at most two levels of bases, and no unused file."""

import ast
from pathlib import Path

CONFIGS = Path(__file__).parents[2] / 'configs'
FILES = sorted(CONFIGS.rglob('*.py'))


def assigned(path):
    """Top-level expressions by name."""
    return {
        target.id: node.value
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }


def bases(path):
    """What a config inherits directly; bases of MMSegmentation count as files."""
    value = assigned(path).get('_base_')
    names = [] if value is None else ast.literal_eval(value)
    return [(path.parent / name).resolve() for name in names]


def depth(path):
    if not path.is_relative_to(CONFIGS) or 'mmseg::' in str(path):
        return 0
    return max((1 + depth(base) for base in bases(path)), default=0)


def named(paths):
    return [str(path.relative_to(CONFIGS)) for path in paths]


def test_a_config_has_at_most_two_levels_of_bases():
    assert not named(path for path in FILES if depth(path) > 2)


def test_every_base_has_a_user():
    used = {base for path in FILES for base in bases(path)}
    used.update((CONFIGS / '_base_/data').glob('*.py'))  # named by --data
    assert not named(path for path in FILES if '_base_' in path.parts and path not in used)


def test_no_config_is_another_name_of_its_base():
    only_bases = [path for path in FILES if set(assigned(path)) == {'_base_'}]
    assert not named(path for path in only_bases if len(bases(path)) == 1)


def test_no_config_computes():
    computed = ast.BinOp | ast.For | ast.While | ast.comprehension | ast.Import | ast.ImportFrom
    assert not named(
        path
        for path in FILES
        if any(isinstance(node, computed) for node in ast.walk(ast.parse(path.read_text())))
    )
