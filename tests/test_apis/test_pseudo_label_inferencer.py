import copy

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmwsss.apis import PseudoLabelInferencer
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError


def run(config, weights, folder, *, tta=False):
    config = Config(copy.deepcopy(config))
    config.load_from = weights
    return run_stage(config, folder, task='test', tta=tta).outputs


def data_list(config):
    dataset = DATASETS.build(config['test_dataloader']['dataset'])
    return [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.mark.parametrize('tta', [False, True])
def test_labels_are_those_that_the_label_stage_writes(label_stage, tmp_path, tta):
    config, weights = label_stage
    folders = run(config, weights, tmp_path / 'stage', tta=tta)
    inferencer = PseudoLabelInferencer(config, weights, device='cpu', tta=tta, show_progress=False)
    infos = data_list(config)
    paths, tags = [info['img_path'] for info in infos], [info['gt_label'] for info in infos]
    found = inferencer(paths, tags=tags, out_dir=str(tmp_path / 'new'))['predictions']
    for info, prediction in zip(infos, found, strict=True):
        assert set(prediction['labels']) == {'other', 'seed'}
        for name, label in prediction['labels'].items():
            made = np.asarray(Image.open(f'{folders[name]}/{info["img_id"]}.png'))
            assert np.array_equal(label, made)
            with Image.open(tmp_path / f'new/{name}/{info["img_id"]}.png') as written:
                assert written.mode == 'P' and np.array_equal(np.asarray(written), made)
    assert len({made.tobytes() for p in found for made in p['labels'].values()}) > 6


def test_boxes_make_the_labels_of_a_box_stage(label_stage, tmp_path):
    config = copy.deepcopy(label_stage[0])
    config['model'] = dict(type='FilledBoxes')
    config['test_dataloader']['dataset']['supervision'] = 'box'
    folders = run(config, None, tmp_path)
    inferencer = PseudoLabelInferencer(config, device='cpu', show_progress=False)
    for info in data_list(config):
        boxes = [instance['bbox'] for instance in info['instances']]
        tags = [instance['bbox_label'] for instance in info['instances']]
        labels = inferencer(info['img_path'], tags, boxes)['predictions']['labels']
        made = np.asarray(Image.open(f'{folders["seed"]}/{info["img_id"]}.png'))
        assert np.array_equal(labels['seed'], made)
    with pytest.raises(UserInputError, match='made from boxes'):
        inferencer(info['img_path'], tags)


def test_one_label_alone_is_drawn_and_written(label_stage, tmp_path):
    config, weights = label_stage
    inferencer = PseudoLabelInferencer(config, weights, device='cpu', show_progress=False)
    path = data_list(config)[0]['img_path']
    result = inferencer(path, [0], label='other', out_dir=str(tmp_path), return_vis=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['other', 'other_overlay']
    assert set(result['predictions']['labels']) == {'other', 'seed'}
    assert len(result['visualization']) == 1


def test_an_image_in_which_nothing_is_found_is_background(label_stage):
    config, weights = label_stage
    inferencer = PseudoLabelInferencer(config, weights, device='cpu', show_progress=False)
    image = np.zeros((20, 30, 3), dtype=np.uint8)
    assert not inferencer(image, tags=[])['predictions']['labels']['seed'].any()
    assert not inferencer(image, score_thr=1.0)['predictions']['labels']['seed'].any()


def test_a_config_without_generator_names_the_other_inferencer(label_stage):
    config, weights = label_stage
    with pytest.raises(UserInputError, match=r'makes no labels, because .* CAMInferencer'):
        PseudoLabelInferencer({**config, 'test_cfg': None}, weights, device='cpu')


def test_maps_in_files_are_refused(label_stage):
    config = {**label_stage[0], 'model': dict(type='StoredCAMs', folder='scores')}
    with pytest.raises(UserInputError, match='reads its maps from files'):
        PseudoLabelInferencer(config, device='cpu')
