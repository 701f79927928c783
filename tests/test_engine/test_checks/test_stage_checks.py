"""Objectives that could not learn are refused before the first stage."""

import pytest
from mmengine.config import Config

from mmwsss.engine.checks.stage_checks import check_stage
from mmwsss.engine.hooks import AlternatingPhaseHook
from mmwsss.registry import HOOKS
from mmwsss.structures import UserInputError

KEY = 'train_dataloader.dataset.proportion_file'


@HOOKS.register_module()
class ThreePhaseHook(AlternatingPhaseHook):
    """A hook defined by the user."""


@pytest.fixture
def check(tmp_path):
    """Check a training with Spatial-BCE, phases and proportions, after these changes."""
    (tmp_path / 'p.npz').touch()

    def check(
        *,
        objective='SpatialBCE',
        hooks=('AlternatingPhaseHook',),
        task='train',
        taken=(),
        **dataset,
    ):
        dataset = {'type': 'VOCWeakDataset', 'proportion_file': 'p.npz', **dataset}
        config = dict(
            model=dict(objectives=[dict(type='MultiLabelSoftMargin'), dict(type=objective)]),
            custom_hooks=[dict(type=hook) for hook in hooks],
            train_dataloader=dict(dataset=dict(dataset, data_root=str(tmp_path))),
        )
        return check_stage('round1', Config(config), task=task, taken=frozenset(taken))

    return check


def test_phases_with_their_hook_and_proportions_are_accepted(check):
    assert check() is None
    assert check(hooks=('ChannelsLastHook', 'ThreePhaseHook')) is None


@pytest.mark.parametrize('hooks', [(), ('ChannelsLastHook', 'EMAHook')])
def test_phases_that_nobody_switches_are_refused(check, hooks):
    with pytest.raises(
        UserInputError,
        match=r"stage 'round1': model\.objectives\.1: SpatialBCE learns.*no AlternatingPha",
    ):
        check(hooks=hooks)


def test_objectives_without_phases_need_no_hook(check):
    assert check(objective='ErasingTriplet', hooks=(), proportion_file='') is None


def test_a_test_needs_neither_hook_nor_proportions(check):
    assert check(task='test', hooks=(), proportion_file='') is None


@pytest.mark.parametrize('value', ['', None])
def test_a_round_without_proportions_is_refused(check, value):
    with pytest.raises(UserInputError, match=rf'{KEY} = {value!r}, but SpatialBCE needs'):
        check(proportion_file=value)
    assert check(proportion_file=value, taken=[KEY]) is None


def test_data_sets_with_other_sources_of_proportions_are_left_alone(check):
    assert check(type='ADE20KDataset', proportion_file=None) is None


def test_unknown_types_are_left_to_what_builds_them(check):
    assert check(objective='NoObjective', hooks=('NoHook',), type='NoDataset') is None


def test_a_folder_of_proportions_is_refused(check, tmp_path):
    with pytest.raises(UserInputError, match=rf'{KEY} = {tmp_path}.* is a folder, expected a file'):
        check(proportion_file='.')


def aggregating(**changes) -> Config:
    head = dict(context=dict(type='SemanticAggregation', in_channels=2, num_classes=2))
    return Config(dict(model=dict(head=head), **changes))


def test_aggregation_that_never_gets_centroids_is_refused():
    with pytest.raises(
        UserInputError,
        match=r"stage 'a': model\.head\.context: .*no RegionCentroids.*SemanticAggregation",
    ):
        check_stage('a', aggregating(), task='train')


def test_centroids_come_from_a_hook_or_a_checkpoint(tmp_path):
    (tmp_path / 'a.pth').touch()
    hooks = [dict(type='RegionCentroidsHook', begin=1, interval=1)]
    assert check_stage('a', aggregating(custom_hooks=hooks), task='train') is None
    assert check_stage('a', aggregating(load_from=f'{tmp_path}/a.pth'), task='train') is None
    assert check_stage('a', aggregating(), task='train', taken=frozenset(['load_from'])) is None


def test_missing_weights_are_a_line_with_the_command_that_makes_them(tmp_path):
    path = tmp_path / 'resnet38.pth'
    init_cfg = dict(type='Pretrained', checkpoint=str(path))
    config = Config(dict(model=dict(backbone=dict(type='ResNet38', init_cfg=init_cfg))))
    message = rf"stage 'cam': model\.backbone\.init_cfg\.checkpoint = {path}.*mxnet_to_resnet38\.py"
    with pytest.raises(UserInputError, match=message):
        check_stage('cam', config, task='train')
    assert check_stage('cam', config, task='test') is None


def test_the_missing_list_of_sbd_is_a_line_with_the_command_that_makes_it(check):
    with pytest.raises(UserInputError, match=r'train_aug\.txt does not.*voc_train_aug\.py'):
        check(ann_file='train_aug.txt')
