import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import MMSegInferencer, init_model
from mmseg.structures import SegDataSample

from mmwsss.apis import CAMInferencer
from mmwsss.apis.input_images import input_images
from mmwsss.engine.labels.files import LabelFile
from mmwsss.structures import UserInputError, read_scores


@pytest.fixture(scope='module')
def inferencer(label_stage):
    return CAMInferencer(*label_stage, device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def photos(shapes_data):
    return sorted(map(str, (shapes_data / 'shapes/JPEGImages').glob('val_*.jpg')))


def test_maps_of_tags_have_the_size_of_the_image(inferencer, photos):
    result = inferencer(photos[0], tags=['ring', 0])
    found = result['predictions']
    assert result['visualization'] == []
    assert found['cam_label'].tolist() == [0, 3]
    assert found['classes'] == ('disc', 'ring')
    assert found['cams'].shape == (2, *input_images(photos[0])[0].read().shape[:2])
    assert found['cams'].dtype == np.float32 and found['pred_score'].shape == (4,)


def test_without_tags_the_classes_above_the_threshold_have_maps(inferencer, photos):
    scores = inferencer(photos[0], score_thr=1.0)['predictions']['pred_score']
    threshold = float(np.sort(scores)[1:3].mean())
    found = inferencer(photos[0], score_thr=threshold)['predictions']
    assert found['cam_label'].tolist() == np.flatnonzero(scores > threshold).tolist()
    tagged = inferencer(photos[0], tags=found['cam_label'].tolist())['predictions']
    assert np.array_equal(found['cams'], tagged['cams'])
    assert inferencer(photos[0], score_thr=1.0)['predictions']['cams'].shape[0] == 0


def test_a_list_gives_a_list_whatever_the_sizes_and_an_array_the_same_as_its_file(
    inferencer, photos
):
    array = np.ascontiguousarray(input_images(photos[0])[0].read()[..., ::-1])
    results = inferencer([photos[0], array, array[:40]], tags=[[0]] * 3, batch_size=2)
    first, second, third = results['predictions']
    assert np.array_equal(first['cams'], second['cams'])
    assert third['cams'].shape[1] == 40
    assert len(inferencer([array], tags=[[0]])['predictions']) == 1


def test_pictures_and_data_samples_on_request(inferencer, photos):
    result = inferencer([photos[0]], tags=[[0, 1]], return_vis=True, return_datasamples=True)
    (picture,), (sample,) = result['visualization'], result['predictions']
    assert isinstance(sample, SegDataSample)
    height, width = sample.ori_shape
    assert picture.shape == (height, 2 * width, 3) and picture.dtype == np.uint8


def test_files_are_named_by_the_image_and_known_again(inferencer, photos, tmp_path):
    (image,) = input_images(photos[0])
    assert inferencer.state_of(str(tmp_path), image) is LabelFile.TO_MAKE
    found = inferencer(photos[0], out_dir=str(tmp_path))['predictions']
    scores, classes = read_scores(tmp_path / f'cams/{image.img_id}.npz')
    assert classes.tolist() == found['cam_label'].tolist()
    kept_to = found['cams'].max() / 2**11  # half a step of the largest score
    np.testing.assert_allclose(scores[1:], found['cams'], rtol=0, atol=kept_to)
    assert (tmp_path / f'cams_overlay/{image.img_id}.jpg').is_file()
    assert inferencer.state_of(str(tmp_path), image) is LabelFile.DONE
    inferencer(photos[0], tags=[0], out_dir=str(tmp_path))
    assert inferencer.state_of(str(tmp_path), image) is LabelFile.TO_MAKE  # of other classes


def test_unknown_arguments_are_refused(inferencer, photos):
    with pytest.raises(ValueError, match='unknown argument'):
        inferencer(photos[0], opacity=0.5)
    with pytest.raises(UserInputError, match="label='seed': the results are cams"):
        inferencer(photos[0], label='seed')


def test_a_config_is_always_given(label_stage):
    with pytest.raises(UserInputError, match='The config text in a checkpoint is code'):
        CAMInferencer(None, label_stage[1])


def test_weights_are_needed_and_must_fit(label_stage, tmp_path):
    config, _ = label_stage
    with pytest.raises(UserInputError, match='CAMClassifier needs trained weights'):
        CAMInferencer(config, device='cpu')
    torch.save({'state_dict': {'a': torch.zeros(1)}}, tmp_path / 'a.pth')
    with pytest.raises(UserInputError, match=r'a\.pth does not fit the model CAMClassifier'):
        CAMInferencer(config, str(tmp_path / 'a.pth'), device='cpu')


def test_mmseg_refuses_a_classifier_and_names_the_inferencer_for_it(label_stage, tmp_path):
    config, weights = label_stage
    Config(copy.deepcopy(config)).dump(str(tmp_path / 'classifier.py'))
    with pytest.raises(UserInputError, match=r'CAMClassifier gives class .*CAMInferencer'):
        MMSegInferencer(str(tmp_path / 'classifier.py'), weights, scope='mmwsss', device='cpu')
    with pytest.raises(UserInputError, match=r'CAMClassifier gives class .*CAMInferencer'):
        init_model(str(tmp_path / 'classifier.py'), weights, device='cpu')
