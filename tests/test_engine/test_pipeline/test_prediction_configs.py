"""From the results of a pipeline to labels of new images, without its data sets."""

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmwsss.apis import PseudoLabelInferencer
from mmwsss.apis.segmentor_inferencer import SegmentorInferencer
from mmwsss.datasets import ShapesWeakDataset
from mmwsss.engine.config.files import read_config
from mmwsss.engine.pipeline.prediction_configs import write_prediction_configs
from mmwsss.engine.pipeline.run import with_taken_paths
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.state.stage_state import StageResult
from mmwsss.registry import DATASETS, MODELS
from mmwsss.structures import UserInputError

CONFIGS = Path(__file__).parents[3] / 'configs'
META = {key: ShapesWeakDataset.METAINFO[key] for key in ('classes', 'palette')}
POWER = dict(type='PowerBackground', alpha=2)


def checkpoint_of(model, path):
    torch.manual_seed(0)
    path.parent.mkdir(parents=True)
    with DefaultScope.overwrite_default_scope('mmwsss'):
        state = MODELS.build(model).state_dict()
    torch.save({'state_dict': state, 'meta': {'dataset_meta': META}}, path)
    return str(path)


def without_comments(path):
    return '\n'.join(line for line in path.read_text().splitlines() if not line.startswith('#'))


@pytest.fixture(scope='module')
def made(label_config, tiny_classifier, shapes_data, tmp_path_factory):
    """Finished stages: seeds with kept scores over two sizes, and labels made from the scores."""
    work_dir = tmp_path_factory.mktemp('work')
    model = tiny_classifier(dict(type='MultiLabelSoftMargin'), num_classes=4)
    model['data_preprocessor'] = dict(type='WeakSegDataPreProcessor')
    weights = checkpoint_of(model, work_dir / 'classifier/iter_2.pth')

    seed = dict(background=POWER)
    unused = dict(background=dict(type='ConstantBackground', threshold=0.5))
    seeds = label_config(
        shapes_data,
        'val',
        work_dir / 'seeds/labels',
        dict(unused=unused, seed=seed),
        model=copy.deepcopy(model),
        keep_scores=dict(seed=4),
    )
    seeds.test_dataloader.dataset.supervision = 'tag'
    seeds.tta_model = dict(type='MultiScaleCAM')
    sizes = [dict(type='Resize', scale_factor=f, keep_ratio=True) for f in (0.5, 1.0)]
    seeds.tta_pipeline = [
        dict(type='LoadImage'),
        dict(type='LoadWeakAnnotations'),
        dict(type='TestTimeAug', transforms=[sizes, [dict(type='PackWeakInputs')]]),
    ]
    network = Config.fromfile(CONFIGS / 'demo/psa-affinity_resnet18_shapes-96x96.py').model
    refiner = dict(
        type='RandomWalk',
        network=network.to_dict(),
        checkpoint=checkpoint_of(network, work_dir / 'affinity/iter_2.pth'),
        beta=8,
        log_steps=2,
        stride=4,
    )
    # Starts from a label whose name sorts after its own.
    spread = dict(type='PixelAdaptiveRefinement', dilations=(1, 2), iterations=2)
    smoother = dict(start='low', refiners=[spread])
    walk = label_config(
        shapes_data,
        'val',
        work_dir / 'walk/labels',
        dict(low=dict(background=POWER, refiners=[refiner]), high=smoother),
        model=dict(type='StoredCAMs', folder=''),
    )
    walk.test_dataloader.dataset.supervision = 'tag'
    stages = [
        Stage('seeds', seeds, {'load_from': 'classifier.checkpoint'}, 'test', tta=True),
        Stage('walk', walk, {'model.folder': 'seeds.seed_scores'}, 'test'),
    ]
    results = {'classifier': StageResult({'checkpoint': weights}, {})}
    for stage in stages:
        config = with_taken_paths(stage, results).config
        results[stage.name] = run_stage(config, work_dir / stage.name, task='test', tta=stage.tta)
    return stages, results, work_dir


def test_a_chain_of_label_stages_gives_the_same_labels_of_its_images(made, tmp_path):
    stages, results, work_dir = made
    (path,) = write_prediction_configs(stages, results, work_dir)
    assert path == work_dir / 'walk.py'
    assert str(work_dir) not in without_comments(path)
    config = read_config(path)
    assert list(config.test_cfg.generator.labels) == ['seed']
    assert config.label_steps[0].scores == 'seed' and config.label_steps[0].stride == 4
    dataset = DATASETS.build(stages[0].config.test_dataloader.dataset)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    expected = {
        name: [
            np.asarray(Image.open(f'{results["walk"].outputs[name]}/{info["img_id"]}.png'))
            for info in infos
        ]
        for name in ('low', 'high')
    }

    moved = shutil.copytree(work_dir, tmp_path / 'moved')
    paths = [info['img_path'] for info in infos]
    with DefaultScope.overwrite_default_scope('mmseg'):  # as after mmseg's own inferencer
        inferencer = PseudoLabelInferencer(f'{moved}/walk.py', device='cpu', show_progress=False)
        found = inferencer(paths, tags=[info['gt_label'] for info in infos])['predictions']
    for name, labels in expected.items():
        for prediction, label in zip(found, labels, strict=True):
            assert np.array_equal(prediction['labels'][name], label)
    assert any(label.any() for label in expected['high'])
    without_tags = inferencer(paths[0], score_thr=0.0)['predictions']
    assert set(without_tags['labels']) == {'low', 'high'} and len(without_tags['classes']) == 4


def test_maps_kept_during_a_training_give_no_labels_of_new_images(made, capsys):
    stages, results, work_dir = made
    walk = replace(stages[1], takes={'model.folder': 'classifier.training_cams'})
    outputs = {'training_cams': results['seeds'].outputs['seed_scores']}
    results = {**results, 'classifier': StageResult(outputs, {})}
    stages = [stages[0], walk]
    assert write_prediction_configs(stages, results, work_dir) == []
    assert "stage 'walk': its maps are files of these images" in capsys.readouterr().out


def test_a_segmentor_has_a_config_with_its_checkpoint(shapes_data, tmp_path, monkeypatch):
    monkeypatch.setenv('MMWSSS_DATA', str(shapes_data))
    config = Config.fromfile(CONFIGS / 'demo/bana-nal_resnet18_shapes-96x96.py')
    weights = checkpoint_of(config.model, tmp_path / 'segmentor/iter_2.pth')
    results = {'segmentor': StageResult({'checkpoint': weights}, {})}
    (path,) = write_prediction_configs([Stage('segmentor', config)], results, tmp_path)
    assert str(tmp_path) not in without_comments(path)
    monkeypatch.setenv('MMWSSS_DATA', '/nowhere')
    inferencer = SegmentorInferencer(path, device='cpu', show_progress=False)
    assert inferencer.classes == META['classes']
    image = np.zeros((30, 40, 3), dtype=np.uint8)
    assert inferencer(image)['predictions'].shape == (30, 40)
    with pytest.raises(UserInputError, match=r'does not give class activation maps'):
        PseudoLabelInferencer(path, device='cpu')
