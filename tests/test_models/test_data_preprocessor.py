import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmwsss.models import WeakSegDataPreProcessor
from mmwsss.models.data_preprocessor import tensors_to
from mmwsss.registry import MODELS


def batch(*sizes):
    inputs, samples = [], []
    for height, width in sizes:
        inputs.append(torch.full((3, height, width), 10, dtype=torch.uint8))
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=torch.ones(1, height, width, dtype=torch.int64))
        sample.gt_sem_seg_aux = PixelData(data=torch.ones(1, height, width, dtype=torch.int64))
        sample.background_mask = PixelData(data=torch.ones(1, height, width, dtype=torch.uint8))
        samples.append(sample)
    return {'inputs': inputs, 'data_samples': samples}


def test_all_maps_are_padded_to_the_batch():
    data = WeakSegDataPreProcessor()(batch((2, 3), (4, 2)), training=True)
    assert data['inputs'].shape == (2, 3, 4, 3)
    first, second = data['data_samples']
    mask = [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert first.background_mask.data.tolist() == [mask]
    assert first.background_mask.data.dtype == torch.uint8
    ignored = [[1, 1, 1], [1, 1, 1], [255] * 3, [255] * 3]
    assert first.gt_sem_seg_aux.data.tolist() == [ignored]
    assert first.gt_sem_seg.data.tolist() == [ignored]
    assert second.background_mask.data.tolist() == [[[1, 1, 0]] * 4]
    assert first.pad_shape == second.pad_shape == (4, 3)
    assert first.img_shape == (2, 3)


@pytest.mark.parametrize('options', [{'size': (8, 8)}, {'size_divisor': 8}])
def test_a_fixed_size_or_divisor_holds_for_all_maps(options):
    data = WeakSegDataPreProcessor(**options)(batch((2, 3)), training=True)
    (sample,) = data['data_samples']
    assert data['inputs'].shape[-2:] == sample.background_mask.shape == (8, 8)
    assert sample.gt_sem_seg_aux.shape == (8, 8)


def test_samples_without_maps_are_left_alone():
    data = {'inputs': [torch.zeros(3, 2, 2)], 'data_samples': [SegDataSample()]}
    (sample,) = WeakSegDataPreProcessor()(data, training=True)['data_samples']
    assert 'background_mask' not in sample


def test_prediction_keeps_the_original_maps():
    data = WeakSegDataPreProcessor(test_cfg={'size_divisor': 4})(batch((2, 3)), training=False)
    assert data['inputs'].shape == (1, 3, 4, 4)
    assert data['data_samples'][0].background_mask.shape == (2, 3)


def test_images_of_different_sizes_are_padded_together_for_a_prediction():
    preprocessor = WeakSegDataPreProcessor(mean=[4.0] * 3, std=[2.0] * 3)
    data = preprocessor(batch((2, 3), (4, 2)), training=False)
    rows = [[3.0] * 3, [3.0] * 3, [0.0] * 3, [0.0] * 3]  # (10 - 4) / 2, then padding
    assert data['inputs'][0].tolist() == [rows] * 3
    first, second = data['data_samples']
    assert tuple(first.img_padding_size) == (0, 0, 0, 2)  # left, right, top, bottom
    assert tuple(second.img_padding_size) == (0, 1, 0, 0)
    assert first.background_mask.shape == (2, 3)


def test_caffe_normalisation_is_a_mean_in_bgr():
    preprocessor = MODELS.build(
        {'type': 'WeakSegDataPreProcessor', 'mean': [1.0, 2.0, 3.0], 'std': [1.0, 1.0, 1.0]}
    )
    data = preprocessor(batch((1, 1)), training=True)
    assert data['inputs'].flatten().tolist() == [9, 8, 7]


@pytest.mark.parametrize('sizes', [[(1, 1)], [(1, 1), (1, 2)]])
@pytest.mark.parametrize('training', [True, False])
def test_mean_and_deviation_are_of_the_channels_after_conversion(sizes, training):
    preprocessor = WeakSegDataPreProcessor(
        mean=[1.0, 2.0, 3.0], std=[1.0, 2.0, 4.0], bgr_to_rgb=True
    )
    data = batch(*sizes)
    for image in data['inputs']:
        image[:] = torch.tensor([7, 8, 9])[:, None, None]  # blue, green, red
    inputs = preprocessor(data, training=training)['inputs']
    assert inputs[0, :, 0, 0].tolist() == [8, 3, 1]  # (9 - 1) / 1, (8 - 2) / 2, (7 - 3) / 4


def test_tensors_of_all_types_and_shapes_travel_together(rng):
    tensors = [
        torch.rand(3, generator=rng) < 0.5,
        torch.rand(2, 3, generator=rng, dtype=torch.float64),
        torch.randint(255, (1, 5, 3), generator=rng, dtype=torch.uint8),
        torch.zeros(0, 4),
        torch.rand(4, 6, generator=rng).T,
        torch.tensor(7),
    ]
    moved = tensors_to(tensors, torch.device('cpu'))
    for copy, original in zip(moved, tensors, strict=True):
        assert copy.dtype == original.dtype
        assert torch.equal(copy, original)


def test_without_tensors_nothing_travels():
    assert tensors_to([], torch.device('cpu')) == []
