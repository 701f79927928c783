"""Maps of the training on disk: a short training on shapes, what reads them, and mistakes."""

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmwsss.engine.checks.stage_checks import check_stage
from mmwsss.engine.hooks.training_cams_hook import number_entries, write_maps
from mmwsss.engine.hooks.training_parts import LabeledImage, labeled_images
from mmwsss.engine.pipeline.runner import StageRunner
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.engine.pipeline.stages import output_names
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError, read_scores

ROOT = Path(__file__).parents[3]
_runs = itertools.count()
WHOLE_VIEWS = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='Resize', scale=(64, 48), keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackWeakInputs'),
]


@pytest.fixture(scope='module')
def config(shapes_data, tiny_classifier):
    """Twelve images in shuffled batches of four, two epochs."""
    objectives = dict(type='MultiLabelSoftMargin'), dict(type='TrainingCAMs', num_classes=4)
    preprocessor = dict(type='WeakSegDataPreProcessor', mean=[127] * 3, std=[60] * 3)
    return Config(
        dict(
            default_scope='mmwsss',
            model=dict(tiny_classifier(*objectives, num_classes=4), data_preprocessor=preprocessor),
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='InfiniteSampler', shuffle=True),
                dataset=dict(
                    type='ShapesWeakDataset',
                    data_root=str(shapes_data / 'shapes'),
                    ann_file='ImageSets/Segmentation/train.txt',
                    supervision='tag',
                    pipeline=WHOLE_VIEWS,
                ),
            ),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=6),
            custom_hooks=[dict(type='TrainingCAMsHook', num_workers=0)],
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4)),
            randomness=dict(seed=0),
        )
    )


@pytest.fixture(scope='module')
def trained(config, tmp_path_factory):
    return run_stage(config, tmp_path_factory.mktemp('trained') / 'a/b', task='train')


def train_loop_of(config, tmp_path, **options):
    """Build a runner and start it, up to the first iteration."""
    config = copy.deepcopy(config)
    config.merge_from_dict(options)
    config.work_dir = str(tmp_path)
    config.experiment_name = f'training_cams_{next(_runs)}'
    return StageRunner.from_cfg(config)


def test_every_image_gets_a_file_of_its_size_and_classes(trained, config):
    images = labeled_images(DATASETS.build(config.train_dataloader.dataset), 'TrainingCAMsHook')
    assert len(images) == 12
    for image in images:
        scores, classes = read_scores(f'{trained.outputs["training_cams"]}/{image.img_id}.npz')
        assert scores.shape == (1 + len(classes), 96, 96)
        assert tuple(classes) == image.classes
        assert 0 <= scores.min() <= scores.max() <= 1
        assert scores[1:].max() > 0.8
        np.testing.assert_allclose(scores[0], 1 - scores[1:].max(axis=0), atol=1e-3)


def test_a_training_stage_names_the_folder_among_its_outputs(trained, config):
    assert output_names(config, 'train') == set(trained.outputs) == {'checkpoint', 'training_cams'}
    assert output_names(Config(dict(custom_hooks=[])), 'train') == {'checkpoint'}


def test_the_files_are_seeds_that_the_config_of_stored_seeds_evaluates(trained, config, tmp_path):
    seeds = Config.fromfile(ROOT / 'configs/affinitynet/psa-seed_voc12-mini.py')
    dataset = config.train_dataloader.dataset
    options = {
        'model.folder': trained.outputs['training_cams'],
        'test_dataloader.num_workers': 0,
        'test_dataloader.dataset.type': dataset.type,
        'test_dataloader.dataset.data_root': dataset.data_root,
        'test_dataloader.dataset.ann_file': dataset.ann_file,
    }
    seeds.merge_from_dict(options)
    check_stage('seeds', seeds, task='test')
    result = run_stage(seeds, tmp_path / 'seeds/a', task='test')
    assert any('mIoU' in name and value > 0 for name, value in result.metrics.items())


def test_a_checkpoint_carries_the_maps_to_the_run_that_goes_on(trained, config, tmp_path):
    checkpoint = torch.load(trained.outputs['checkpoint'], weights_only=True)
    kept = checkpoint['training_cams']
    assert not any('training' in key for key in checkpoint['state_dict'])
    runner = train_loop_of(config, tmp_path, resume=True, load_from=trained.outputs['checkpoint'])
    runner.train()  # it is finished, so nothing is added
    objective = runner.model.objectives[1]
    assert objective.maps.equal(kept['maps'])
    assert objective.stored.equal(kept['stored'])


def test_a_run_that_starts_from_a_checkpoint_begins_without_maps(trained, config, tmp_path):
    options = {'load_from': trained.outputs['checkpoint'], 'train_cfg.max_iters': 1}
    runner = train_loop_of(config, tmp_path, **options)
    runner.train()
    assert 0 < runner.model.objectives[1].stored.sum() < len(runner.model.objectives[1].stored)


def test_maps_of_other_images_are_not_gone_on_with(trained, config, tmp_path):
    options = {
        'resume': True,
        'load_from': trained.outputs['checkpoint'],
        'train_dataloader.dataset.ann_file': 'ImageSets/Segmentation/val.txt',
    }
    runner = train_loop_of(config, tmp_path, **options)
    with pytest.raises(UserInputError, match='holds maps of other images or labels'):
        runner.train()


def test_the_model_needs_the_objective(config, tmp_path):
    options = {'model.objectives': [dict(type='MultiLabelSoftMargin')]}
    with pytest.raises(
        UserInputError, match='expected one objective TrainingCAMs in the model, found 0'
    ):
        train_loop_of(config, tmp_path, **options).train()


def test_the_last_epoch_is_as_many_iterations_as_show_all_images(config, tmp_path, monkeypatch):
    runner = train_loop_of(config, tmp_path)
    objective, seen = runner.model.objectives[1], []
    forward = type(objective)._record
    monkeypatch.setattr(
        type(objective),
        '_record',
        lambda self, *arguments: (seen.append(self.last_epoch), forward(self, *arguments)),
    )
    runner.train()
    assert seen == [False] * 3 + [True] * 3


class Listing:
    """A data set that has only entries."""

    def __init__(self, *infos):
        self.infos = infos

    def __len__(self):
        return len(self.infos)

    def get_data_info(self, index):
        return self.infos[index]


def test_images_are_listed_once_with_the_classes_of_tags_or_boxes():
    boxes = dict(img_id='b', img_path='b.jpg', instances=[dict(bbox_label=3), dict(bbox_label=1)])
    tags = dict(img_id='a', img_path='a.jpg', gt_label=[2, 0, 2])
    empty = dict(img_id='c', img_path='c.jpg', gt_label=[])
    images = labeled_images(Listing(tags, boxes, tags, empty), 'TrainingCAMsHook')
    assert [image.classes for image in images] == [(0, 2), (1, 3), ()]
    assert number_entries(images) == {'a': {0: 0, 2: 1}, 'b': {1: 2, 3: 3}, 'c': {}}


@pytest.mark.parametrize(
    ('missing', 'named', 'lack'),
    [('img_id', 'a.jpg', 'has no `img_id`'), ('gt_label', 'a', 'has neither tags nor boxes')],
)
def test_a_data_set_that_does_not_tell_its_labels_is_refused(missing, named, lack):
    info = dict(img_id='a', img_path='a.jpg', gt_label=[2])
    info.pop(missing)
    with pytest.raises(UserInputError, match=f"'{named}' .*{lack}"):
        labeled_images(Listing(info), 'TrainingCAMsHook')


def test_maps_are_enlarged_to_the_image_and_an_image_without_a_class_is_background(tmp_path):
    Image.new('RGB', (6, 4)).save(tmp_path / 'a.png')
    maps = np.array([[[0, 255]], [[51, 51]]], dtype=np.uint8)
    image = LabeledImage('a', str(tmp_path / 'a.png'), (2, 7))
    write_maps(tmp_path / 'a.npz', maps, image, 'stamp')
    scores, classes = read_scores(tmp_path / 'a.npz')
    assert classes.tolist() == [2, 7]
    ramp = [0, 0, 1 / 3, 2 / 3, 1, 1]  # half-pixel centres: (i + 0.5) / 3 - 0.5, within 0..1
    np.testing.assert_allclose(scores[1, 0], ramp, atol=1e-3)
    np.testing.assert_allclose(scores[2], 0.2, atol=1e-3)
    np.testing.assert_allclose(scores[0, 0], 1 - np.maximum(ramp, 0.2), atol=1e-3)
    write_maps(tmp_path / 'b.npz', maps[:0], image._replace(classes=()), 'stamp')
    scores, classes = read_scores(tmp_path / 'b.npz')
    assert scores.shape == (1, 4, 6)
    assert (scores == 1).all()
