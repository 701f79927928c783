"""The published form of RCA from tags to labels, with a narrow network on a few shapes."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from mmwsss.engine.pipeline.stage import run_stage

CONFIGS = Path(__file__).parents[2] / 'configs'
WHOLE_VIEWS = [
    dict(type='LoadImage'),
    dict(type='LoadWeakAnnotations'),
    dict(type='Resize', scale=(64, 64), keep_ratio=False),
    dict(type='PackWeakInputs'),
]


def on_shapes(name, data, tmp_path, **changes):
    """A config of RCA on the shapes, which have four classes."""
    config = Config.fromfile(CONFIGS / 'rca' / f'{name}.py')
    shapes = Config.fromfile(CONFIGS / 'demo/psa-cam_resnet18_shapes-96x96.py')
    for loader in filter(config.get, ('train_dataloader', 'test_dataloader')):
        dataset = {**shapes[loader].dataset, 'data_root': str(data / 'shapes')}
        config[loader] = {**shapes[loader], 'dataset': dataset, 'num_workers': 0}
        config[loader].persistent_workers = False
    # Objects that runners of one process share by name would write into the first one's folder.
    config.merge_from_dict({'visualizer.name': str(tmp_path / name), **changes})
    return config


NARROW = {
    'model.backbone': dict(_delete_=True, type='ResNet', depth=18, base_channels=8),
    'model.head.in_channels': 64,
    'model.head.num_classes': 4,
    'model.head.context.in_channels': 64,
    'model.head.context.num_classes': 4,
    'model.objectives.2.channels': 64,
    'model.objectives.2.num_classes': 4,
    'model.objectives.2.memory.slots': 20,
    'model.objectives.2.memory.score_threshold': 0.0,
    'model.objectives.3.num_classes': 4,
}


def test_class_branches_learn_from_noise_and_their_training_maps_become_labels(
    shapes_data, tmp_path
):
    config = on_shapes('rca-branches_vgg16_voc12-368x368', shapes_data, tmp_path, **NARROW)
    config.train_dataloader.dataset.pipeline = WHOLE_VIEWS
    config.train_dataloader.batch_size = 4  # three steps per epoch
    contrast, centroids, maps, saved = config.custom_hooks
    saved.num_workers = 0
    contrast.begin, centroids.begin, centroids.interval, maps.begin = 4, 3, 3, 3
    config.train_cfg.max_iters = 7
    outputs = run_stage(config, tmp_path / 'classifier', task='train').outputs
    state = torch.load(outputs['checkpoint'], weights_only=True)['state_dict']
    assert state['head.context.valid'].all()
    assert all(value.isfinite().all() for value in state.values())

    config = on_shapes('rca-branches-labels_voc12', shapes_data, tmp_path)
    config.test_dataloader.dataset.ann_file = 'ImageSets/Segmentation/train.txt'
    config.model.folder = outputs['training_cams']
    config.test_cfg.num_workers = 0
    del config.test_cfg.generator.labels['seed_crf']
    folder = Path(run_stage(config, tmp_path / 'labels', task='test').outputs['seed'])
    labels = [np.array(Image.open(path)) for path in sorted(folder.glob('*.png'))]
    assert len(labels) == 12
    assert {label.shape for label in labels} == {(96, 96)}
