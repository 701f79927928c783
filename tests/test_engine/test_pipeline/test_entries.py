"""Stages as a dict, which other pipelines inherit."""

import pytest
from mmengine.config import Config

from mmwsss.engine.config.files import read_config
from mmwsss.engine.pipeline.entries import stage_entries
from mmwsss.engine.pipeline.stages import load_stages
from mmwsss.structures import UserInputError

BASE = """
stages = dict(
    classifier=dict(config='classify.py'),
    labels=dict(config='label.py', task='test', takes={'load_from': 'classifier.checkpoint'}),
    segmentor=dict(config='segment.py', takes={'masks': 'labels.seed', 'seeds': 'labels.seed'}),
)
"""


@pytest.fixture
def folder(tmp_path):
    """A pipeline `base/main.py` with its stages, and an empty folder `variants` next to `base`."""
    for name in ('base', 'variants'):
        (tmp_path / name).mkdir()
    for name in ('classify', 'label', 'segment', 'other'):
        (tmp_path / f'base/{name}.py').write_text('masks = None\nseeds = None\n')
    (tmp_path / 'base/main.py').write_text(BASE)
    return tmp_path


@pytest.fixture
def variant(folder):
    """Write a pipeline that inherits `main.py` and read its stages."""

    def read(stages, path='base/variant.py', base='main.py'):
        bases = '' if base is None else f"_base_ = ['{folder}/base/{base}']\n"
        (folder / path).write_text(f'{bases}stages = {stages}\n')
        return stage_entries(read_config(folder / path))

    return read


def names(entries):
    return [entry.name for entry in entries]


def test_a_dict_is_read_in_its_order_and_relative_to_its_file(folder):
    entries = stage_entries(Config.fromfile(folder / 'base/main.py'))
    assert names(entries) == ['classifier', 'labels', 'segmentor']
    assert [entry.config for entry in entries] == [
        folder / f'base/{name}.py' for name in ('classify', 'label', 'segment')
    ]
    assert [entry.task for entry in entries] == ['', 'test', '']


def test_a_variant_says_what_is_different(folder, variant):
    before = stage_entries(Config.fromfile(folder / 'base/main.py'))
    after = variant("dict(labels=dict(config='other.py'))")
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1].config == folder / 'base/other.py'
    assert (after[1].task, after[1].takes) == (before[1].task, before[1].takes)


def test_one_key_of_what_a_stage_takes_is_replaced(variant):
    entries = variant("dict(segmentor=dict(takes={'seeds': 'classifier.checkpoint'}))")
    assert entries[2].takes == {'masks': 'labels.seed', 'seeds': 'classifier.checkpoint'}


def test_a_path_belongs_to_the_file_that_names_it(folder, variant):
    # The same word in both files: each refers to the file next to it.
    (folder / 'variants/label.py').write_text('')
    (folder / 'variants/classify.py').write_text('')
    stages = "dict(labels=dict(config='label.py'), segmentor=dict(config='../base/other.py'))"
    entries = variant(stages, path='variants/variant.py')
    assert entries[0].config == folder / 'base/classify.py'
    assert entries[1].config == folder / 'variants/label.py'
    assert entries[2].config.resolve() == folder / 'base/other.py'


def test_a_path_is_followed_through_two_bases(folder, variant):
    variant("dict(labels=dict(config='../base/other.py'))", path='variants/middle.py')
    (folder / 'last.py').write_text("_base_ = ['./variants/middle.py']\n")
    entries = stage_entries(read_config(folder / 'last.py'))
    assert entries[0].config == folder / 'base/classify.py'
    assert entries[1].config.resolve() == folder / 'base/other.py'


def test_none_removes_a_stage(variant):
    assert names(variant('dict(segmentor=None)')) == ['classifier', 'labels']


def test_none_removes_what_a_stage_takes(variant):
    entries = variant('dict(labels=None, segmentor=dict(takes=dict(masks=None, seeds=None)))')
    assert names(entries) == ['classifier', 'segmentor']
    assert entries[1].takes == {}


def test_a_removed_stage_is_set_again_as_a_whole(folder, variant):
    variant('dict(segmentor=None)', path='base/middle.py')
    again = "dict(segmentor=dict({}config='other.py'))"
    with pytest.raises(
        UserInputError, match=r'segmentor was removed in `_base_`.*_delete_=True'
    ) as e:
        variant(again.format(''), base='middle.py')
    assert 'NoneType' not in str(e.value)
    entries = variant(again.format('_delete_=True, '), base='middle.py')
    assert (entries[2].name, entries[2].takes) == ('segmentor', {})


def test_what_takes_from_a_removed_stage_is_refused(variant):
    with pytest.raises(UserInputError, match=r"from 'labels\.seed', but the stages before it"):
        variant('dict(labels=None)')


def test_all_stages_cannot_be_removed(variant):
    with pytest.raises(UserInputError, match='at least one'):
        variant('dict(classifier=None, labels=None, segmentor=None)')


def test_a_new_stage_goes_where_it_says(variant):
    new = "warmup=dict(after='classifier', config='other.py')"
    assert names(variant(f'dict({new})')) == ['classifier', 'warmup', 'labels', 'segmentor']
    new = f"{new}, check=dict(after='warmup', config='other.py')"
    assert names(variant(f'dict({new})'))[1:3] == ['warmup', 'check']


def test_the_place_of_a_removed_stage_can_be_taken(variant):
    new = "dict(segmentor=None, network=dict(after='segmentor', config='segment.py'))"
    assert names(variant(new)) == ['classifier', 'labels', 'network']


@pytest.mark.parametrize(
    ('new', 'order'),
    [
        # It is listed before the stage that it comes after.
        ("b=dict(after='a', config='other.py'), a=dict(after='labels', config='other.py')", 'ab'),
        # Several stages after the same one keep their order, and each keeps its followers.
        (
            "a=dict(after='labels', config='other.py'), b=dict(after='labels', config='other.py'),"
            "c=dict(after='a', config='other.py')",
            'acb',
        ),
    ],
)
def test_places_do_not_depend_on_the_order_in_which_they_are_named(variant, new, order):
    assert names(variant(f'dict({new})')) == ['classifier', 'labels', *order, 'segmentor']


def test_a_circle_of_places_is_refused_by_name(variant):
    new = ', '.join(
        f"{name}=dict(after='{after}', config='other.py')" for name, after in ('ab', 'ba', 'ca')
    )
    message = r"stages\.a comes after 'b', stages\.b comes after 'a'\. One of them"
    with pytest.raises(UserInputError, match=message):
        variant(f'dict({new})')


def test_a_removed_stage_keeps_the_place_that_it_had(folder, variant):
    variant(
        "dict(a=dict(after='classifier', config='other.py'), b=dict(after='a', config='other.py'))",
        path='base/middle.py',
    )
    last = variant('dict(a=None)', base='middle.py')
    assert names(last) == ['classifier', 'b', 'labels', 'segmentor']


@pytest.mark.parametrize('anchor', ["'lables'", "'new'", '5'])
def test_a_place_after_no_other_stage_is_refused(variant, anchor):
    message = r'stages\.new comes after .*, which is not another stage\. Nearest names: .*labels'
    with pytest.raises(UserInputError, match=message):
        variant(f"dict(new=dict(after={anchor}, config='other.py'))")


@pytest.mark.parametrize('value', ["dict(config='other.py')", 'None'])
def test_a_mistyped_stage_is_no_new_one(variant, value):
    message = r"segmentr is not in the .* pipeline; nearest names: segmentor\. .* after='segmentor'"
    with pytest.raises(UserInputError, match=message):
        variant(f'dict(segmentr={value})')


def test_a_variant_may_delete_what_it_inherits(folder, variant):
    (folder / 'variants/classify.py').write_text('')
    stages = "dict(_delete_=True, classifier=dict(config='classify.py'))"
    (entry,) = variant(stages, path='variants/variant.py')
    assert entry.config == folder / 'variants/classify.py'
    stage = "dict(labels=dict(_delete_=True, config='other.py'))"
    assert variant(stage)[1].takes == {}


def test_deleting_is_no_stage_that_a_hint_names(folder, variant):
    variant("dict(_delete_=True, one=dict(config='other.py'))", path='base/middle.py')
    with pytest.raises(UserInputError, match=r'nearest names: one\. If it is new'):
        variant("dict(_delte_=dict(config='other.py'))", base='middle.py')


def test_a_base_may_be_of_another_package(folder):
    bases = "_base_ = ['./main.py', 'mmseg::_base_/default_runtime.py']\n"
    (folder / 'base/variant.py').write_text(f"{bases}stages = dict(labels=dict(config='other.py'))")
    entries = stage_entries(read_config(folder / 'base/variant.py'))
    assert entries[1].config == folder / 'base/other.py'


def test_a_base_without_stages_need_not_run_by_itself(folder):
    (folder / 'base/root.py').write_text('first = 1\n')
    (folder / 'base/child.py').write_text("_base_ = './root.py'\nsecond = {{_base_.first}}\n")
    bases = "_base_ = ['./main.py', './child.py']\n"
    (folder / 'base/variant.py').write_text(f"{bases}stages = dict(labels=dict(config='other.py'))")
    assert len(stage_entries(read_config(folder / 'base/variant.py'))) == 3


def test_a_list_takes_the_place_of_a_dict(variant):
    assert names(variant("[dict(name='one', config='other.py')]")) == ['one']


def test_a_dict_cannot_change_a_list(folder, variant):
    (folder / 'base/list.py').write_text("stages = [dict(name='one', config='other.py')]\n")
    with pytest.raises(UserInputError, match=r'stages=.* is a dict in the child config'):
        variant("dict(one=dict(config='label.py'))", base='list.py')
    stages = "dict(_delete_=True, one=dict(config='label.py'))"
    assert variant(stages, base='list.py')[0].config == folder / 'base/label.py'


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ('dict()', 'at least one stage'),
        ("dict(one='other.py')", r"stages\.one must be a dict .* got 'other\.py'"),
        ("dict(one=dict(confg='other.py'))", r"stages\.one has the unknown key 'confg'.* config"),
        ("dict(one=dict(task='test'))", r"stages\.one lacks config; its keys are \['task'\]"),
        ("dict(one=dict(name='two', config='other.py'))", r'stages\.one already has a name'),
        ("{'a/b': dict(config='other.py')}", 'a/b'),
        ("dict(one=dict(config='absent.py'))", r'absent\.py, which does not exist'),
    ],
)
def test_a_wrong_entry_is_one_clear_error(variant, stages, message):
    with pytest.raises(UserInputError, match=message) as caught:
        variant(stages, base=None)
    assert '\n' not in str(caught.value)


def test_a_pipeline_that_cannot_run_by_itself_says_so(folder):
    (folder / 'base/main.py').write_text(BASE + "first = 'other.py'\n")
    (folder / 'base/variant.py').write_text(
        "_base_ = ['./main.py']\nstages = dict(labels=dict(config={{_base_.first}}))\n"
    )
    with pytest.raises(UserInputError, match=r'variant\.py: with stages as a dict .* on its own'):
        stage_entries(read_config(folder / 'base/variant.py'))


def test_options_of_a_stage_reach_an_inherited_one(folder, variant):
    variant('dict(labels=None, segmentor=None)')
    config = read_config(folder / 'base/variant.py')
    (stage,) = load_stages(config, {'classifier.masks': 'x'})
    assert stage.config.masks == 'x'
