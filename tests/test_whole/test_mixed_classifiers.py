"""Poolings, objectives and contexts of several methods in one classifier, on a few shapes."""

import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmwsss.engine.hooks.region_entries_hook import region_entries
from mmwsss.engine.hooks.training_parts import labeled_images
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.engine.state.stage_state import StageResult, StageState
from mmwsss.registry import DATASETS

MIXED = Path(__file__).parents[2] / 'configs' / 'mixed'
TRIPLET = 'cam-triplet_resnet18_shapes-96x96'
GATED_PYRAMID = dict(
    head=dict(
        pooling=dict(_delete_=True, type='GatedPyramidPooling', num_classes=4),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    objectives=[dict(type='MultiLabelSoftMargin'), dict(type='ErasingTriplet')],
)


@pytest.fixture
def load(shapes_data, tmp_path, monkeypatch):
    """Load a mixed config on the shapes' data, with changes."""
    monkeypatch.setenv('MMWSSS_DATA', str(shapes_data))
    # Objects that runners of one process share by name would write into the first one's folder.
    always = {'default_hooks.logger.interval': 1, 'visualizer.name': str(tmp_path)}

    def from_file(name: str, **changes) -> Config:
        config = Config.fromfile(MIXED / f'{name}.py')
        config.merge_from_dict({**always, **changes})
        return config

    return from_file


def train(config: Config, work_dir: Path, iterations: int, *, resume: bool = False) -> StageResult:
    config.train_cfg.max_iters = iterations
    resume_from = StageState(work_dir).checkpoint()[0] if resume else None
    return run_stage(config, work_dir, task='train', resume_from=resume_from)


def logged_losses(work_dir: Path) -> list[set[str]]:
    """Names of the losses at every iteration, over all runs in the folder."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    return [{key for key in line if re.match(r'loss_', key)} for line in lines if 'loss' in line]


@pytest.mark.slow
def test_boxes_train_a_gated_pyramid_and_become_labels(load, tmp_path):
    pytest.importorskip('pydensecrf')
    config = load('bana-gpp_resnet18_shapes-96x96')
    result = train(config, tmp_path / 'classifier', 60)
    config.merge_from_dict({'load_from': result.outputs['checkpoint'], 'test_cfg.num_workers': 0})
    labels = run_stage(config, tmp_path / 'labels', task='test')
    assert set(labels.outputs) == {'seed', 'Y_crf', 'Y_ret'}
    assert labels.metrics['Y_crf/mIoU'] > 65  # filled boxes reach 61


def test_triplets_join_plain_average_pooling_after_the_warm_up(load, tmp_path):
    config = load(TRIPLET, **{'custom_hooks.0.begin': 3})
    train(config, tmp_path, 5)
    warmup, all_losses = {'loss_multi_label'}, {'loss_multi_label', 'loss_attract', 'loss_repulse'}
    assert logged_losses(tmp_path) == [warmup] * 3 + [all_losses] * 2


def test_a_resumed_run_is_in_the_phase_of_its_iteration(load, tmp_path):
    config = load(TRIPLET, **{'custom_hooks.0.begin': 3})
    train(config, tmp_path, 4)
    train(config, tmp_path, 5, resume=True)
    assert [len(names) for names in logged_losses(tmp_path)] == [1, 1, 1, 3, 3]


def test_the_gated_pyramid_and_triplets_train_together(load, tmp_path):
    config = load(TRIPLET, **{'custom_hooks.0.begin': 0, 'model': GATED_PYRAMID})
    assert set(train(config, tmp_path, 3).outputs) == {'checkpoint'}
    assert logged_losses(tmp_path)[-1] == {'loss_multi_label', 'loss_attract', 'loss_repulse'}


def regions_stored(checkpoint: str) -> torch.Tensor:
    state = torch.load(checkpoint, weights_only=True, map_location='cpu')['state_dict']
    return next(value for key, value in state.items() if key.endswith('memory.filled'))


BOX_REGIONS = {'custom_hooks.0.begin': 3, 'model.objectives.1.memory.score_threshold': 0.0}


def test_regions_of_boxes_fill_a_memory_and_are_contrasted_with_it(load, tmp_path):
    config = load('bana-contrast_resnet18_shapes-96x96', **BOX_REGIONS)
    result = train(config, tmp_path, 5)
    names = logged_losses(tmp_path)
    assert names[2] == {'loss_region'}
    assert names[3] == {'loss_region', 'loss_region_contrast'}
    assert regions_stored(result.outputs['checkpoint']).any(dim=1).all()  # of every class


RCA = {
    'custom_hooks.0.begin': 4,
    'custom_hooks.0.interval': 4,
    'custom_hooks.1.begin': 3,
    'custom_hooks.2.begin': 4,
    'model.objectives.2.memory.score_threshold': 0.0,
}


def test_contrast_aggregation_gated_pyramid_and_triplets_train_together(load, tmp_path):
    result = train(load('rca-gpp_resnet18_shapes-96x96', **RCA), tmp_path, 6)
    always = {'loss_multi_label', 'loss_multi_label_coarse_map'}
    assert logged_losses(tmp_path)[2:] == [
        always,
        always | {'loss_region_contrast'},
        *[always | {'loss_region_contrast', 'loss_attract', 'loss_repulse'}] * 2,
    ]
    state = torch.load(result.outputs['checkpoint'], weights_only=True)['state_dict']
    assert state['head.context.valid'].any(dim=1).all()
    assert regions_stored(result.outputs['checkpoint']).any(dim=1).all()


def test_every_image_has_its_own_slot_in_a_memory(load, tmp_path):
    memory = dict(entry='image', slots=12, score_threshold=0.0)
    changes = {**RCA, 'model.objectives.2.memory': memory}
    for iterations in (5, 8):  # twelve images in batches of eight
        config = load('rca-gpp_resnet18_shapes-96x96', **changes)
        config.custom_hooks.append(dict(type='RegionEntriesHook'))
        result = train(config, tmp_path, iterations, resume=iterations > 5)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    images = labeled_images(dataset, 'test')
    entries = region_entries((image.img_id, image.classes) for image in images)
    images_of_class = [sum(label in own for own in entries.values()) for label in range(4)]
    assert regions_stored(result.outputs['checkpoint']).sum(dim=1).tolist() == images_of_class


def test_a_resumed_run_goes_on_with_memory_and_centroids(load, tmp_path):
    stored = train(load('rca-gpp_resnet18_shapes-96x96', **RCA), tmp_path, 5).outputs['checkpoint']
    first = torch.load(stored, weights_only=True)['state_dict']
    result = train(load('rca-gpp_resnet18_shapes-96x96', **RCA), tmp_path, 6, resume=True)
    last = torch.load(result.outputs['checkpoint'], weights_only=True)['state_dict']
    filled, centroids = 'objectives.2.memory.filled', 'head.context.centroids'
    assert last[filled].sum() > first[filled].sum() > 0
    assert torch.equal(last[centroids], first[centroids])
