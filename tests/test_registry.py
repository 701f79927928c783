"""Names resolve mmwsss, then mmseg, then mmengine; siblings by prefix."""

import mmseg.registry as mmseg_registry
import pytest
from mmcv import transforms
from mmengine.config import Config
from mmengine.registry import Registry

import mmwsss.registry as registry
from mmwsss.engine.checks.stage_checks import check_stage
from mmwsss.engine.hooks.training_cams_hook import TrainingCAMsHook
from mmwsss.engine.labels.pseudo_label_loop import PseudoLabelLoop
from mmwsss.engine.pipeline.stages import Stage, output_names
from mmwsss.structures import UserInputError

NODES = [name for name, node in vars(mmseg_registry).items() if isinstance(node, Registry)]


@pytest.mark.parametrize('node', NODES)
def test_every_node_of_mmseg_has_a_child_here(node):
    child = getattr(registry, node)
    assert child.parent is getattr(mmseg_registry, node)
    assert child.scope == 'mmwsss'


def test_a_plain_name_of_mmwsss_is_found_without_importing_its_module_first():
    assert registry.MODELS.get('CAMClassifier').__module__.startswith('mmwsss.')


@pytest.mark.parametrize(
    ('node', 'name', 'package'),
    [
        ('MODELS', 'EncoderDecoder', 'mmseg'),
        ('MODELS', 'mmseg.MobileNetV2', 'mmseg'),
        ('MODELS', 'mmpretrain.MobileNetV2', 'mmpretrain'),
        ('METRICS', 'IoUMetric', 'mmseg'),
        ('METRICS', 'mmpretrain.MultiLabelMetric', 'mmpretrain'),
        ('TRANSFORMS', 'PackSegInputs', 'mmseg'),
        ('TRANSFORMS', 'CenterCrop', 'mmcv'),
        ('HOOKS', 'LoggerHook', 'mmengine'),
        ('LOOPS', 'IterBasedTrainLoop', 'mmengine'),
        ('OPTIMIZERS', 'SGD', 'torch'),
    ],
)
def test_names_of_other_packages_resolve(node, name, package):
    assert getattr(registry, node).get(name).__module__.split('.')[0] == package


@pytest.mark.parametrize('name', ['mmseg.MobileNetV2', 'mmpretrain.MobileNetV2'])
def test_siblings_build_by_prefix(name):
    backbone = registry.MODELS.build(dict(type=name, widen_factor=0.1))
    assert type(backbone).__module__.split('.')[0] == name.split('.')[0]


def test_a_model_of_mmseg_builds_its_own_parts_by_plain_names():
    model = registry.MODELS.build(
        dict(
            type='EncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor'),
            backbone=dict(type='MobileNetV2', widen_factor=0.1, out_indices=(0,)),
            decode_head=dict(
                type='FCNHead',
                in_channels=8,
                in_index=0,
                channels=4,
                num_convs=1,
                num_classes=2,
                loss_decode=dict(type='CrossEntropyLoss'),
            ),
        )
    )
    assert type(model.backbone).__module__.startswith('mmseg.')
    assert type(model.decode_head.loss_decode).__module__.startswith('mmseg.')


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
@pytest.mark.parametrize(
    ('node', 'kind', 'options', 'name'),
    [
        ('TASK_UTILS', 'DenseCRF', lambda value: dict(bilateral_weight=value), 'bilateral_weight'),
        ('TASK_UTILS', 'ConstantBackground', lambda value: dict(threshold=value), 'threshold'),
        ('MODELS', 'CAMHead', lambda value: dict(pooling=dict(scales=[1.0, value])), 'scales.1'),
    ],
)
def test_an_option_that_is_not_finite_is_refused_with_its_name(node, kind, options, name, value):
    with pytest.raises(UserInputError, match=rf'{kind}: .*{name} = {value} is not a finite'):
        getattr(registry, node).build(dict(type=kind, **options(value)))


@pytest.mark.parametrize(
    'kind',
    [
        'PseudoLabelLoop',
        'mmwsss.PseudoLabelLoop',
        'mmwsss.engine.labels.pseudo_label_loop.PseudoLabelLoop',
        PseudoLabelLoop,
    ],
)
def test_a_component_is_known_however_a_config_names_it(kind):
    assert registry.type_name(dict(type=kind)) == 'PseudoLabelLoop'
    assert registry.type_name(dict(other=kind)) is None
    test_cfg = dict(type=kind, generator=dict(labels=dict(seed={})))
    assert Stage('labels', Config(dict(test_cfg=test_cfg))).makes_labels


def test_a_hook_and_a_transform_are_known_by_their_classes():
    training = Config(dict(custom_hooks=[dict(type=TrainingCAMsHook)]))
    assert output_names(training, 'train') == {'checkpoint', 'training_cams'}
    views = dict(dataset=dict(pipeline=[dict(type=transforms.TestTimeAug)]))
    with pytest.raises(UserInputError, match='several views'):
        check_stage('test', Config(dict(test_dataloader=views, tta_model={})), task='test')
