"""Trial builds of stages: shipped ones pass, wrong ones are refused, and nothing is changed."""

import random
import re
from pathlib import Path

import mmpretrain
import mmseg
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.utils import ManagerMixin
from torch import nn

from mmwsss.engine.checks import stage_checks, trial_parts
from mmwsss.engine.checks.preflight import preflight
from mmwsss.engine.config.build_errors import building
from mmwsss.engine.config.files import RUNNER_KEYS
from mmwsss.engine.labels import pseudo_label_loop
from mmwsss.engine.pipeline.stages import load_stages
from mmwsss.models.classifiers import StoredCAMs
from mmwsss.registry import MODELS
from mmwsss.structures import Checked, UserInputError

CONFIGS = Path(__file__).parents[3] / 'configs'
PIPELINES = sorted(
    path
    for pattern in ('*.py', 'demo/*.py', 'mixed/*.py')
    for path in CONFIGS.glob(pattern)
    if 'stages = ' in path.read_text()
)
# One of each method and each kind of segmentor; the others differ in numbers and backbones.
QUICK = {
    'aeft_voc',
    'bana_deeplabv3-r101_voc',
    'psa_vgg16_voc',
    'rca-saliency_voc',
    'sbce-walk_shapes',
}
LEAVES = sorted(
    path
    for path in CONFIGS.glob('[!_]*/*.py')
    if path not in PIPELINES and path.name != 'my_first.py'
)
DEMO = CONFIGS / 'demo/bana-nal_resnet18_shapes-96x96.py'


@pytest.fixture
def without_files(monkeypatch):
    """Data and weights are absent here, so their paths are not looked up."""
    monkeypatch.setattr(stage_checks, '_check_path', lambda name, key, path: None)
    monkeypatch.setattr(pseudo_label_loop, 'check_files', lambda files: None)
    monkeypatch.setattr(StoredCAMs, 'check', Checked.check)
    monkeypatch.setattr(trial_parts, 'check_data_folders', lambda stage, key, dataset: None)


@pytest.mark.parametrize(
    'path',
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.slow)
        for path in PIPELINES
    ],
)
def test_every_shipped_pipeline_can_be_built(path, without_files):
    for stage in load_stages(Config.fromfile(path)):
        taken = frozenset(stage.takes)
        preflight(stage.name, stage.config, task=stage.task, tta=stage.tta, taken=taken)


# What a pipeline passes to a stage, and a file names on the command line for a single config.
TAKEN = frozenset({'load_from', 'model.folder', 'train_dataloader.dataset.proportion_file'})


@pytest.mark.slow
@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_every_shipped_stage_can_be_built(path, without_files):
    config = Config.fromfile(path)
    tasks = [task for task in ('train', 'test') if config.get(f'{task}_cfg')]
    assert tasks
    for task in tasks:
        tta = task == 'test' and 'tta_model' in config
        data = ('train_dataloader.', *(() if task == 'train' else ('model.',)))
        given = frozenset(
            key
            for key in TAKEN
            if key == 'load_from' or (key.startswith(data) and _has_parent(config, key))
        )
        preflight(path.stem, config, task=task, tta=tta, taken=given)


def _has_parent(config, key):
    node = config
    for part in key.split('.')[:-1]:
        node = (node or {}).get(part)
    return isinstance(node, dict) and (key.endswith('_file') or key.split('.')[-1] in node)


def check(**changes):
    config = Config.fromfile(DEMO)
    config.merge_from_dict(changes)
    preflight('segmentor', config, task='train')


def test_building_on_trial_leaves_no_trace(without_files):
    def traces():
        pending, named = [ManagerMixin], {}
        while pending:
            named.update({cls: list(cls._instance_dict) for cls in pending})
            pending = [child for cls in pending for child in cls.__subclasses__()]
        return named, torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()

    MMLogger.get_instance('mine')
    check()  # the first run imports what the next would
    before, states = traces(), random.getstate()
    config = Config.fromfile(DEMO)
    text = config.pretty_text
    preflight('segmentor', config, task='train')
    assert traces() == before
    assert random.getstate() == states
    assert config.pretty_text == text
    with pytest.raises(UserInputError):
        check(**{'model.backbone.type': 'ResNett'})
    assert traces() == before


def test_what_runs_after_it_is_the_same_to_the_bit(without_files):
    def draw():
        torch.manual_seed(3)
        check() if looked else None
        return nn.Linear(4, 4).weight

    looked = False
    alone = draw()
    looked = True
    assert torch.equal(draw(), alone)


def test_a_wrong_name_is_answered_with_the_nearest_ones(without_files):
    with pytest.raises(
        UserInputError,
        match=r"stage 'segmentor': model\.backbone\.type = 'ResNett' is not .*: ResNet",
    ):
        check(**{'model.backbone.type': 'ResNett'})


def test_a_wrong_argument_is_answered_with_all_arguments(without_files):
    with pytest.raises(UserInputError, match=r"pipeline\.3 .*'crop_sze', did you mean 'crop_size'"):
        check(**{'train_dataloader.dataset.pipeline.3.crop_sze': 9})


@MODELS.register_module()
class WithBug(nn.Module):
    """A part whose constructor fails whatever it is given."""

    def __init__(self, number: int = 1):
        super().__init__()
        self.table = {}['missing']


def test_a_bug_of_a_component_stays_a_bug():
    with pytest.raises(KeyError, match='missing'), building('a', {'model': None}):
        MODELS.build(dict(type='WithBug'))


def test_a_value_of_another_type_is_named_even_if_the_failure_is_elsewhere():
    model = dict(type='WithBug', number='three')
    with (
        pytest.raises(UserInputError, match=r"stage 'a': model.*number='three' is a str, expected"),
        building('a', {'model': model}),
    ):
        MODELS.build(model)


def test_a_backbone_that_computes_when_it_is_built_is_built_on_the_cpu(without_files):
    @MODELS.register_module()
    class Computing(nn.Module):
        """Needs the value of a tensor."""

        def __init__(self):
            super().__init__()
            self.rates = [rate.item() for rate in torch.linspace(0, 1, 3)]

    check(**{'model.neck': dict(type='Computing')})


def test_no_variable_of_the_configs_of_mmseg_and_mmpretrain_is_taken_for_a_misspelt_key(
    without_files,
):
    folders = [Path(package.__file__).parent / '.mim/configs' for package in (mmseg, mmpretrain)]
    files = [path for folder in folders for path in folder.rglob('*.py')]
    names = {name for path in files for name in re.findall(r'^(\w+) *=', path.read_text(), re.M)}
    assert {'test_pipeline', 'train_pipeline', 'crop_size', 'norm_cfg', 'img_ratios'} <= names
    config = Config.fromfile(DEMO)
    config.pop('tta_pipeline', None)
    config.update(dict.fromkeys(names - RUNNER_KEYS))
    preflight('segmentor', config, task='train')
    config['tta_pipelin'] = None
    with pytest.raises(UserInputError, match="did you mean 'tta_pipeline'"):
        preflight('segmentor', config, task='train')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'default_hooks.checkpoint': None}, 'checkpoint = None writes none'),
        (
            {'default_hooks.checkpoint.save_last': False, 'default_hooks.checkpoint.interval': 7},
            r'save_last=False, and interval=7 leaves out train_cfg\.max_iters=200',
        ),
        (
            {'default_hooks.checkpoint.save_last': False, 'default_hooks.checkpoint.interval': -1},
            'interval=-1 leaves out',
        ),
        ({'default_hooks.checkpoint.out_dir': 's3://bucket/a'}, "out_dir = 's3://bucket/a' is no"),
    ],
)
def test_a_training_that_could_not_end_with_a_checkpoint_is_refused(
    changes, message, without_files
):
    with pytest.raises(UserInputError, match=rf"stage 'segmentor': .*{message}") as error:
        check(**changes)
    assert '\n' not in str(error.value)


def test_a_training_whose_interval_saves_the_last_iteration_is_taken(without_files):
    check(**{'default_hooks.checkpoint.save_last': False, 'default_hooks.checkpoint.interval': 50})


def test_a_classifier_of_mmpretrain_with_its_usual_settings_is_taken(tmp_path):
    (tmp_path / 'train/a').mkdir(parents=True)
    data = dict(type='CustomDataset', data_root=str(tmp_path), data_prefix='train', pipeline=[])
    sampler = dict(type='DefaultSampler', shuffle=True)
    config = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                backbone=dict(type='ResNet', depth=18, base_channels=1, stem_channels=1),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='LinearClsHead', num_classes=1000, in_channels=8),
            ),
            train_dataloader=dict(batch_size=2, num_workers=0, sampler=sampler, dataset=data),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=dict(visualization=dict(type='VisualizationHook', enable=False)),
            visualizer=dict(
                type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
            ),
        )
    )
    config.train_dataloader.dataset.metainfo = dict(classes=[str(i) for i in range(1000)])
    preflight('classifier', config, task='train')
    assert [path.name for path in tmp_path.iterdir()] == ['train']
