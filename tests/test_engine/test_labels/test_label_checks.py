from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmwsss.engine.checks.stage_checks import check_stage
from mmwsss.engine.labels.checks import (
    check_checkpoint,
    check_no_mask,
    check_supervision,
)
from mmwsss.structures import UserInputError, WeakDataset


def test_a_network_without_a_checkpoint_labels_nothing():
    with pytest.raises(UserInputError, match='load_from is not set'):
        check_checkpoint(SimpleNamespace(model=nn.Conv2d(1, 1, 1), cfg={}))


def test_a_model_without_weights_needs_no_checkpoint():
    assert check_checkpoint(SimpleNamespace(model=nn.Identity(), cfg={})) is None


class Tagged(WeakDataset):
    supervision = 'tag'


def test_parts_that_need_boxes_refuse_tags():
    with pytest.raises(UserInputError, match=r"needs \['gt_instances'\], which come with boxes"):
        check_supervision(Tagged(), frozenset({'gt_instances', 'feats'}))


def test_features_need_no_boxes():
    assert check_supervision(Tagged(), frozenset({'feats'})) is None


def test_a_sample_with_a_true_mask_is_refused():
    sample = SegDataSample()
    assert check_no_mask(sample) is None
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 2, 2))
    with pytest.raises(UserInputError, match='Remove LoadAnnotations'):
        check_no_mask(sample)


@pytest.mark.parametrize('folder', ['', 'nowhere'])
def test_stored_maps_without_a_folder_are_refused_before_the_first_image(folder, tmp_path):
    def check(folder, taken=()):
        config = Config(dict(model=dict(type='StoredCAMs', folder=folder)))
        return check_stage('walk', config, task='test', taken=frozenset(taken))

    with pytest.raises(UserInputError, match=rf"stage 'walk': model.folder = '{folder}' is no"):
        check(folder)
    assert check(folder, taken=['model.folder']) is None
    assert check(str(tmp_path)) is None


def test_views_without_the_model_that_merges_them_are_refused():
    pipeline = [dict(type='LoadImage'), dict(type='TestTimeAug', transforms=[])]
    test = dict(
        test_dataloader=dict(dataset=dict(pipeline=pipeline)),
        tta_model=dict(type='MultiScaleCAM'),
        tta_pipeline=pipeline,
    )
    assert check_stage('labels', Config(test), task='test', tta=True) is None
    with pytest.raises(UserInputError, match=r"stage 'labels'.*Add --tta"):
        check_stage('labels', Config(test), task='test')
