from pathlib import Path

import pytest
import torch

from mmwsss.engine.state.settings import (
    by_content,
    decisive_settings,
    label_making_settings,
    named_paths,
    plain_settings,
)
from mmwsss.registry import HOOKS, MODELS


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        (dict(type='CheckpointHook'), dict(type='CheckpointHook', interval=-1)),
        (dict(type='SGD', lr=1), dict(type='SGD', lr=1.0, momentum=0)),
        (dict(type='MaxNormalize'), dict(type='mmwsss.MaxNormalize')),
        (dict(scales=(1, 2), num_workers=4), dict(scales=[1, 2])),
    ],
)
def test_the_same_settings_in_other_words_are_equal(one, other):
    plain, also_plain = plain_settings(one), plain_settings(other)
    plain.pop('type', None), also_plain.pop('type', None)
    assert plain == also_plain


def test_defaults_that_a_class_hands_to_its_parent_count_as_well():
    dataset = dict(type='VOCWeakDataset', ann_file='a.txt')
    assert plain_settings({**dataset, 'test_mode': False}) == plain_settings(dataset)
    assert plain_settings({**dataset, 'test_mode': True}) != plain_settings(dataset)


def test_a_value_that_is_not_the_default_counts():
    assert plain_settings(dict(type='SGD', momentum=0.9)) == dict(type='SGD', momentum=0.9)


@pytest.mark.parametrize(
    ('parts', 'expected'),
    [
        (dict(contrast=dict(partner='other')), {}),
        (dict(contrast=dict(type='MixupContrast'), memory=dict()), {}),
        (dict(contrast=dict(partner='any', beta=8)), dict(contrast=dict(partner='any'))),
        (dict(memory=dict(slots=5, official=False)), dict(memory=dict(slots=5))),
        (dict(contrast=dict(type='Other')), dict(contrast=dict(type='Other'))),
    ],
)
def test_defaults_of_parts_whose_type_follows_from_their_place_do_not_count(parts, expected):
    objective = dict(type='RegionContrast', num_classes=3, channels=4)
    assert plain_settings({**objective, **parts}) == {**objective, **expected}


@pytest.fixture
def registered():
    """Register classes with a default of ``std=1``: two of the same name, and one more."""
    names = [(MODELS, 'OfTwoRegistries'), (HOOKS, 'OfTwoRegistries'), (HOOKS, 'OfOneRegistry')]
    for registry, name in names:
        registry.register_module(name, module=type(name, (), {'__init__': _with_std}))
    yield
    for registry, name in names:
        del registry.module_dict[name]


def _with_std(self, std=1):
    pass


@pytest.mark.usefixtures('registered')
def test_a_default_of_a_name_that_two_registries_have_is_not_left_out():
    # The dict does not tell whose default it is.
    twice = dict(type='OfTwoRegistries', std=1)
    assert plain_settings(twice) == twice
    assert plain_settings(dict(type='OfOneRegistry', std=1)) == dict(type='OfOneRegistry')
    unknown = dict(type='NoSuchComponent', std=1)
    assert plain_settings(unknown) == unknown


def test_only_settings_of_the_task_decide_and_not_where_data_lie():
    dataset = dict(type='VOCWeakDataset', data_root='here', ann_file='a.txt', supervision='tag')
    config = dict(
        model=dict(type='FilledBoxes'),
        train_dataloader=dict(dataset=dataset, num_workers=4),
        test_dataloader=dict(dataset=dataset),
        test_cfg=dict(type='PseudoLabelLoop', out_dir='there'),
        some_variable=3,
        load_from=None,
    )
    chosen = decisive_settings(config, 'train')
    assert chosen == dict(
        model=dict(type='FilledBoxes'),
        train_dataloader=dict(dataset=dict(type='VOCWeakDataset', supervision='tag')),
    )
    assert 'test_cfg' in decisive_settings(config, 'test')


def test_paths_that_exist_are_found_and_replaced_by_their_content(tmp_path):
    weights = tmp_path / 'weights.pth'
    weights.write_text('w')
    settings = dict(type='tests', checkpoint=str(weights), folder=str(tmp_path), other='none.pth')
    assert sorted(named_paths(settings)) == [str(tmp_path), str(weights)]
    assert by_content(settings, {str(weights): 'hash'})['checkpoint'] == 'hash'


@pytest.mark.parametrize(
    'change',
    [
        dict(data_preprocessor=dict(type='WeakSegDataPreProcessor', mean=[1.0, 1.0, 1.0])),
        dict(custom_hooks=[dict(type='EMAHook')]),
        dict(model=dict(type='StoredCAMs', folder='there')),
        dict(default_scope='mmseg'),
        dict(test_cfg=dict(type='PseudoLabelLoop', generator=dict(labels=dict(a=dict(start='b'))))),
        dict(
            test_cfg=dict(type='PseudoLabelLoop', generator=dict(labels=dict(a=dict())), fp16=True)
        ),
    ],
)
def test_labels_depend_on_everything_that_can_change_a_pixel(change):
    config = dict(
        model=dict(type='FilledBoxes'),
        test_dataloader=dict(dataset=dict(type='VOCWeakDataset')),
        test_cfg=dict(type='PseudoLabelLoop', generator=dict(labels=dict(a=dict()))),
    )
    assert label_making_settings({**config, **change}) != label_making_settings(config)


@pytest.mark.parametrize('count', [None, 0, 16])
def test_neither_labels_nor_their_stage_depend_on_the_number_of_processes(count):
    loop = dict(type='PseudoLabelLoop', generator=dict(labels=dict(a=dict())))
    dataset = dict(type='VOCWeakDataset')
    config = dict(test_dataloader=dict(dataset=dataset), test_cfg=loop)
    counted = dict(config, test_cfg={**loop, 'num_workers': count})
    assert label_making_settings(counted) == label_making_settings(config)
    assert decisive_settings(counted, 'test') == decisive_settings(config, 'test')


@pytest.mark.parametrize(
    ('hooks', 'decide'),
    [
        (dict(logger=dict(type='LoggerHook', interval=7)), False),
        (dict(checkpoint=dict(type='CheckpointHook', interval=7), logger=None), False),
        (dict(param_scheduler=dict(type='ParamSchedulerHook')), False),
        (dict(param_scheduler=None), True),
        (dict(logger=dict(type='EMAHook')), True),
    ],
)
def test_default_hooks_count_where_they_change_a_training(hooks, decide):
    assert ('default_hooks' in decisive_settings(dict(default_hooks=hooks), 'train')) is decide


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        (dict(train_dataloader=dict(batch_size=2, drop_last=False)), dict()),
        (dict(optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD'))), dict()),
        (dict(auto_scale_lr=dict(enable=False, base_batch_size=16)), dict()),
        (dict(randomness=dict(seed=0, deterministic=False)), dict(randomness=dict(seed=0))),
    ],
)
def test_defaults_of_settings_without_a_type_count_as_well(one, other):
    base = dict(
        train_dataloader=dict(batch_size=2),
        optim_wrapper=dict(optimizer=dict(type='SGD')),
        randomness=dict(seed=0),
    )
    plain = decisive_settings({**base, **one}, 'train')
    assert plain == decisive_settings({**base, **other}, 'train')


def test_values_that_are_not_plain_are_told_apart():
    values = [Path('x'), Path('y'), torch.float16, torch.bfloat16, slice(1, 2), slice(1, 3), Path]
    assert len({str(plain_settings(value)) for value in values}) == len(values)


def own_data(classes=('cat', 'dog'), **places):
    data = {'root': 'here', 'labels': 'tags.json', 'classes': classes, **places}
    dataset = dict(type='CustomWeakDataset', data=data, split='train', supervision='tag')
    return dict(
        train_dataloader=dict(dataset=dataset),
        test_dataloader=dict(dataset=dataset),
        test_cfg=dict(generator=dict(labels=dict())),
    )


@pytest.mark.parametrize(
    'other',
    [
        own_data(root='there', labels='labels.csv', images='photos', masks='masks', val='val.txt'),
        own_data(dict(cat='cat', hound='dog')),
    ],
)
def test_of_own_data_the_names_of_the_classes_count_and_not_where_they_lie(other):
    for task in ('train', 'test'):
        assert decisive_settings(own_data(), task) == decisive_settings(other, task)


def test_renamed_classes_are_other_settings_but_their_labels_are_the_same():
    renamed = own_data(dict(cat='kitty', dog='dog'))
    for task in ('train', 'test'):
        assert decisive_settings(own_data(), task) != decisive_settings(renamed, task)
    measured = own_data()
    measured['test_dataloader']['dataset']['true_masks'] = True
    for other in (renamed, measured):
        assert label_making_settings(own_data()) == label_making_settings(other)
