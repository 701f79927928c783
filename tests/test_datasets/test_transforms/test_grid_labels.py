import numpy as np
import pytest

from mmwsss.datasets.transforms import GridLabels
from mmwsss.registry import TRANSFORMS
from mmwsss.structures import UserInputError


def results_of(**maps):
    return dict(maps, seg_fields=['background_mask', *maps])


def test_one_label_map_is_reduced():
    label = np.arange(48, dtype=np.uint8).reshape(4, 12)
    results = TRANSFORMS.build(dict(type='GridLabels'))(results_of(gt_seg_map=label))
    assert results['affinity_label'].tolist() == [[26, 30, 34]]  # row 2, columns 2, 6 and 10
    assert results['seg_fields'] == ['background_mask']
    assert 'gt_seg_map' not in results


def test_two_label_maps_are_merged():
    foreground = np.array([[0, 0, 3, 255]], dtype=np.uint8)
    background = np.array([[0, 2, 2, 255]], dtype=np.uint8)
    results = GridLabels(1)(results_of(gt_seg_map=foreground, gt_seg_map_aux=background))
    assert results['affinity_label'].tolist() == [[0, 255, 3, 255]]
    assert 'gt_seg_map_aux' not in results


def test_without_a_label_map_it_says_what_to_do():
    with pytest.raises(UserInputError, match='put LoadPseudoLabels before GridLabels'):
        GridLabels()(results_of())


def test_a_crop_that_is_no_multiple_is_refused():
    with pytest.raises(UserInputError, match=r'multiples of the stride 4, got 8x6'):
        GridLabels()(results_of(gt_seg_map=np.zeros((8, 6), dtype=np.uint8)))


def test_a_stride_below_one_is_refused():
    with pytest.raises(ValueError, match='at least 1 pixel, got 0'):
        GridLabels(0)
