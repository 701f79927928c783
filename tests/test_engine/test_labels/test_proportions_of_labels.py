"""Proportions measured on the labels of a stage, for the data set of a later one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from PIL import Image
from torch import nn

from mmwsss.engine.checks.stage_checks import check_stage
from mmwsss.engine.labels import PseudoLabelLoop
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.engine.pipeline.stages import output_names
from mmwsss.registry import DATASETS, MODELS
from mmwsss.structures import UserInputError, read_proportions

LABELS = dict(
    seed=dict(background=dict(type='ConstantBackground', threshold=0.5)),
    none=dict(background=dict(type='ConstantBackground', threshold=2)),
)
PIPELINE = [dict(type='LoadImage'), dict(type='LoadWeakAnnotations'), dict(type='PackWeakInputs')]


@MODELS.register_module()
class StrideEightBackbone(BaseModule):
    """Stride-8 features of a test image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 9, stride=8, padding=4)

    def forward(self, images):
        return (self.conv(images).relu(),)


@pytest.fixture
def dataset(shapes_data):
    return dict(
        type='ShapesWeakDataset',
        data_root=str(shapes_data / 'shapes'),
        ann_file='ImageSets/Segmentation/train.txt',
        supervision='tag',
        pipeline=PIPELINE,
    )


@pytest.fixture
def run(shapes_data, label_config, tmp_path):
    """Label the shapes' training images in this process."""

    def start(model, *, labels=LABELS, proportions=('seed', 'none'), name='a', **more):
        folder = tmp_path / 'labels'
        config = label_config(
            shapes_data, 'train', folder, labels, model=model, proportions=proportions
        )
        if model['type'] != 'FilledBoxes':
            config.test_dataloader.dataset.supervision = 'tag'
        config.merge_from_dict(more)
        work_dir = tmp_path / 'work' / name / 'b'
        return run_stage(config, work_dir, task='test', tta='tta_model' in more)

    return start


def test_the_proportions_are_those_of_the_labels(run, tmp_path):
    result = run(dict(type='FilledBoxes'))
    assert set(result.outputs) == {'seed', 'none', 'seed_proportions', 'none_proportions'}
    assert result.outputs['seed_proportions'] == str(tmp_path / 'labels/seed_proportions.npz')
    ids, values, classes = read_proportions(result.outputs['seed_proportions'])
    assert classes == ('disc', 'triangle', 'cross', 'ring')
    assert len(ids) == 12
    for img_id, row in zip(ids, values, strict=True):
        label = np.asarray(Image.open(tmp_path / f'labels/seed/{img_id}.png'))
        assert row.tolist() == [(label == c + 1).mean() for c in range(4)]
    assert values.sum() > 0
    assert not read_proportions(result.outputs['none_proportions']).values.any()


def test_they_are_of_the_labels_that_lie_there_when_a_run_goes_on(run):
    first = run(dict(type='FilledBoxes'))
    path = first.outputs['seed_proportions']
    with open(path, 'rb') as file:
        before = file.read()
    with open(path, 'wb') as file:
        file.write(b'half a file')
    run(dict(type='FilledBoxes'), name='again')
    with open(path, 'rb') as file:
        assert file.read() == before


def test_old_proportions_do_not_outlive_their_labels_when_new_ones_are_not_finished(
    run, monkeypatch
):
    path = Path(run(dict(type='FilledBoxes'), proportions=('seed',)).outputs['seed_proportions'])

    def stop(loop):
        raise KeyboardInterrupt

    monkeypatch.setattr(PseudoLabelLoop, '_run_unfinished', stop)
    with pytest.raises(KeyboardInterrupt):
        run(dict(type='FilledBoxes'), labels=dict(seed=LABELS['none']), proportions=('seed',))
    assert not path.exists()


def test_a_data_set_takes_them(run, dataset):
    path = run(dict(type='FilledBoxes')).outputs['seed_proportions']
    trained = DATASETS.build(dict(dataset, proportion_file=path))
    sample = trained[0]['data_samples']
    assert sample.gt_proportion.nonzero().flatten().tolist() == sample.gt_label.tolist()


def test_proportions_of_a_label_that_is_not_made_are_refused(run):
    with pytest.raises(UserInputError, match=r"proportions=\('crf',\) names \['crf'\]"):
        run(dict(type='FilledBoxes'), proportions=('crf',))
    generator = dict(type='PseudoLabelGenerator', labels=LABELS)
    config = Config(
        dict(test_cfg=dict(type='PseudoLabelLoop', generator=generator, proportions=('crf',)))
    )
    with pytest.raises(UserInputError, match=r"stage 'labels'.*proportions="):
        check_stage('labels', config, task='test')


def test_later_stages_can_take_the_file():
    config = Config(
        dict(
            test_cfg=dict(
                type='PseudoLabelLoop', generator=dict(labels=LABELS), proportions=('seed',)
            )
        )
    )
    assert output_names(config, 'test') == {'seed', 'none', 'seed_proportions'}


def test_a_missing_file_stops_a_stage_before_it_starts_unless_it_is_taken(dataset):
    loader = dict(dataset=dict(dataset, proportion_file='no.npz'))
    config = Config(dict(train_dataloader=loader))
    key = 'train_dataloader.dataset.proportion_file'
    with pytest.raises(UserInputError, match=rf"stage 'cams': {key} = .*shapes/no\.npz does not"):
        check_stage('cams', config, task='train')
    assert check_stage('cams', config, task='train', taken=frozenset({key})) is None


def test_a_list_with_an_image_twice_is_refused_before_it_is_labelled(run, dataset, tmp_path):
    path = Path(dataset['data_root'], dataset['ann_file'])
    ids = path.read_text().split()
    (tmp_path / 'twice.txt').write_text('\n'.join([*ids, ids[3], ids[0]]))
    key = 'test_dataloader.dataset.ann_file'
    with pytest.raises(UserInputError, match=rf"twice\.txt: the image '{ids[0]}' is listed 2"):
        run(dict(type='FilledBoxes'), **{key: str(tmp_path / 'twice.txt')})
    assert not (tmp_path / 'labels').exists()


def test_learned_thresholds_make_labels_over_scales_and_flips(run, tmp_path):
    torch.manual_seed(0)
    head = dict(
        type='CAMHead',
        in_channels=4,
        num_classes=4,
        context=dict(type='ThresholdBranch', in_channels=8, num_classes=4, channels=4),
        pooling=dict(type='GlobalAveragePooling'),
    )
    model = dict(
        type='CAMClassifier',
        data_preprocessor=dict(type='WeakSegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3),
        backbone=dict(type='StrideEightBackbone'),
        head=head,
        objectives=[],
        rectify='never',
        flip=True,
    )
    torch.save({'state_dict': MODELS.build(model).state_dict()}, tmp_path / 'net.pth')
    scales = [dict(type='Resize', scale_factor=s, keep_ratio=True) for s in (1.0, 0.5)]
    augment = dict(type='TestTimeAug', transforms=[scales, PIPELINE[2:]])
    result = run(
        model,
        labels=dict(planes=dict(background=dict(type='ConstantBackground', threshold=0))),
        proportions=('planes',),
        tta_model=dict(type='MultiScaleCAM', merge='mean_sigmoid'),
        tta_pipeline=[*PIPELINE[:2], augment],
        load_from=str(tmp_path / 'net.pth'),
        **{'test_cfg.generator.normalize': dict(type='LearnedThresholdPlanes', rule='published')},
    )
    values = read_proportions(result.outputs['planes_proportions']).values
    assert values.shape == (12, 4)
    assert 0 < values.sum(axis=1).max() <= 1
