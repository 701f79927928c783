"""Parts of the wrong kind are refused, and components are asked what they need of a stage."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmseg.structures import SegDataSample

from mmwsss.engine.checks.stage_checks import check_stage
from mmwsss.engine.config.build_errors import building
from mmwsss.engine.pipeline.stages import output_names
from mmwsss.registry import HOOKS, MODELS, TASK_UTILS
from mmwsss.structures import (
    Checked,
    Component,
    GivesOutputs,
    Objective,
    PhasedObjective,
    Pooling,
    StagePlan,
    UserInputError,
    check_contract,
)

CAM = 'configs/demo/psa-cam_resnet18_shapes-96x96.py'
SEED = dict(background=dict(type='ConstantBackground', threshold=0.3))


@HOOKS.register_module()
class ReportingHook(Hook, GivesOutputs):
    """Test hook that makes a file."""

    @classmethod
    def output_names(cls, options):
        return {options['file']}

    @property
    def outputs(self):
        return {}


@MODELS.register_module()
class TwoStepObjective(PhasedObjective):
    """Test objective with phases."""

    def set_phase(self, phase):
        raise NotImplementedError

    def forward(self, outputs, data_samples, encode):
        raise NotImplementedError


@MODELS.register_module()
class ChoosyPooling(Pooling):
    """Test pooling that refuses every stage and reports what it was asked."""

    @classmethod
    def check(cls, options, key, stage):
        raise UserInputError(f'{key} of {stage.task} with {options["size"]}')

    def forward(self, feats, score_map, data_samples=None):
        raise NotImplementedError

    def image_scores(self, score_map):
        raise NotImplementedError


@pytest.fixture
def classifier():
    """Build the classifier of the demo with other parts."""

    def build(**changes):
        config = Config.fromfile(CAM)
        config.merge_from_dict(changes)
        with DefaultScope.overwrite_default_scope('mmwsss'), torch.device('meta'):
            return MODELS.build(config.model)

    return build


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'model.head.pooling': dict(type='ReLU')}, 'pooling: .*kind Pooling, got ReLU'),
        ({'model.head.context': dict(type='ReLU')}, 'context: .*kind Context, got ReLU'),
        ({'model.head': dict(_delete_=True, type='ReLU')}, 'head: .*kind Head, got ReLU'),
        ({'model.objectives': [dict(type='ReLU')]}, r'objectives\.0: .*kind Objective, got ReLU'),
    ],
)
def test_a_part_of_a_model_of_another_kind_is_refused(classifier, changes, message):
    with pytest.raises(UserInputError, match=message):
        classifier(**changes)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(normalize=dict(type='ArgmaxLabeler')), 'normalize: .*kind Normalizer'),
        (dict(labels=dict(a=dict(background=dict(type='MaxNormalize')))), 'a.background: .*Backgr'),
        (dict(labels=dict(a=dict(SEED, refiners=[dict(type='ArgmaxLabeler')]))), 'refiners.0: '),
        (dict(labels=dict(a=dict(SEED, labeler=dict(type='MaxNormalize')))), 'a.labeler: .*Label'),
    ],
)
def test_a_part_of_a_generator_of_another_kind_is_refused(options, message):
    with pytest.raises(UserInputError, match=message):
        TASK_UTILS.build(dict(type='PseudoLabelGenerator', **{'labels': dict(a=SEED), **options}))


def test_the_refiner_of_a_test_is_one():
    refiner = dict(type='MaxNormalize')
    tta = dict(type='LogitAverageTTA', module=dict(type='StoredCAMs', folder=''), refiner=refiner)
    with pytest.raises(UserInputError, match=r'refiner: .*kind Refiner, got MaxNormalize'):
        MODELS.build(tta)


def test_a_part_that_lacks_what_its_contract_asks_for_cannot_be_built():
    class Incomplete(Pooling):
        pass

    with pytest.raises(TypeError, match='image_scores'):
        Incomplete()


def test_a_part_of_the_right_kind_is_given_back():
    objective = TwoStepObjective()
    assert check_contract(objective, Objective, 'objectives.0') is objective
    assert (objective.requires, objective.enabled, objective.stateful) == ((), True, False)


def stage_of(**model) -> Config:
    return Config(dict(model=dict(type='CAMClassifier', **model)))


def test_every_component_is_asked_with_its_key_and_options():
    config = stage_of(head=dict(type='CAMHead', pooling=dict(type='ChoosyPooling', size=3)))
    message = r"^stage 'a': model\.head\.pooling of train with 3$"
    with pytest.raises(UserInputError, match=message):
        check_stage('a', config, task='train')


@pytest.mark.parametrize('place', ['model', 'tta_model', 'val_dataloader.dataset.pipeline.0'])
def test_components_are_asked_wherever_they_are(place):
    asked = []

    class Asked(Checked):
        @classmethod
        def check(cls, options, key, stage):
            asked.append(key)

    config = Config(dict(test_dataloader=dict(dataset=dict(pipeline=[]))))
    config.val_dataloader = dict(dataset=dict(pipeline=[dict()]))
    config.merge_from_dict({f'{place}.type': Asked, 'tta_pipeline': []})
    config.tta_model = config.get('tta_model', dict())
    task = 'train' if place.startswith('val') else 'test'
    check_stage('a', config, task=task, tta=task == 'test')
    assert asked == [place]


def test_phases_of_anyone_need_the_hook_that_switches_them():
    config = stage_of(objectives=[dict(type='TwoStepObjective')])
    with pytest.raises(UserInputError, match='TwoStepObjective learns in two phases'):
        check_stage('a', config, task='train')
    config.custom_hooks = [dict(type='AlternatingPhaseHook')]
    assert check_stage('a', config, task='train') is None


@pytest.mark.parametrize(
    ('hook', 'message'),
    [
        (dict(type='AlternatingPhaseHook'), 'no objective of the model has phases'),
        (dict(type='RegionCentroidsHook', begin=1, interval=1), 'no context that takes centroids'),
        (dict(type='StartObjectiveHook', objective='A', begin=1), "no objective 'A', only"),
        (
            dict(type='StartObjectiveHook', objective='MultiLabelSoftMargin', begin=9),
            'not below the number of training iterations, 9',
        ),
    ],
)
def test_hooks_without_what_they_act_on_are_refused_before_the_first_stage(hook, message):
    config = stage_of(objectives=[dict(type='MultiLabelSoftMargin'), dict(type='ErasingTriplet')])
    config.merge_from_dict(dict(custom_hooks=[hook], train_cfg=dict(max_iters=9)))
    with pytest.raises(UserInputError, match=f"stage 'a': .*{message}"):
        check_stage('a', config, task='train')


def test_a_plan_knows_hooks_by_name_and_by_what_they_derive_from():
    class Own(ReportingHook):
        pass

    plan = StagePlan('a', 'train', {}, components=(Component('custom_hooks.0', {}, Own),))
    assert plan.has_hook('Own')
    assert plan.has_hook('ReportingHook')
    assert not plan.has_hook('AlternatingPhaseHook')
    assert StagePlan('a', 'train', {}).max_iters is None


def test_what_a_hook_makes_can_be_taken():
    config = Config(dict(custom_hooks=[dict(type='ReportingHook', file='report')]))
    assert output_names(config, 'train') == {'checkpoint', 'report'}


def test_a_test_that_makes_nothing_gives_nothing():
    assert output_names(Config(dict(test_cfg=dict())), 'test') == set()


def test_a_sample_may_ask_for_fields_by_any_collection(classifier):
    with DefaultScope.overwrite_default_scope('mmwsss'):
        model = MODELS.build(Config.fromfile(CAM).model).eval()
    for names in (['feats'], ('feats',), {'feats'}):
        sample = SegDataSample(metainfo=dict(ori_shape=(64, 64), img_shape=(64, 64)))
        sample.set_metainfo(dict(required_fields=names))
        with torch.no_grad():
            (predicted,) = model.predict(torch.zeros(1, 3, 64, 64), [sample])
        assert 'feats' in predicted


def test_a_part_that_lacks_a_method_is_named_with_its_key():
    class Incomplete(Pooling):
        pass

    with (
        pytest.raises(UserInputError, match=r"'a': model \(Incomplete\) lacks forward, image_sco"),
        building('a', {'model': None}),
    ):
        MODELS.build(dict(type=Incomplete))


def test_names_in_a_string_are_refused():
    class Spelt(TwoStepObjective):
        requires = 'my_map'

    with pytest.raises(UserInputError, match=r"objectives\.0: requires of Spelt .*'my_map',"):
        check_contract(Spelt(), Objective, 'objectives.0')


@pytest.mark.parametrize('taken', [[], ['train_dataloader.dataset.data_prefix.seg_map_pat']])
def test_a_folder_that_no_data_set_reads_is_refused(taken):
    dataset = dict(type='VOCWeakDataset', data_prefix=dict(img_path='a'))
    if not taken:
        dataset['data_prefix']['seg_map_pat'] = 'labels'
    config = Config(dict(train_dataloader=dict(dataset=dataset)))
    with pytest.raises(UserInputError, match=r'data_prefix\.seg_map_pat is not a folder that VOC'):
        check_stage('a', config, task='train', taken=frozenset(taken))
