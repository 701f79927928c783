"""Scale, crop and flip: hand-checked numbers for boxes and maps."""

import numpy as np
import pytest

from mmwsss.datasets.transforms import (
    PadRandomCrop,
    RandomBoxScale,
    RandomLongSide,
    background_mask_from_boxes,
    clip_boxes,
    pad_symmetric,
    rescale,
)
from mmwsss.registry import TRANSFORMS


def make_results(height=4, width=6, boxes=((1, 1, 3, 4), (4, 0, 6, 2))):
    boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    image = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    return {
        'img': image,
        'img_shape': (height, width),
        'gt_bboxes': boxes,
        'gt_bboxes_labels': np.arange(len(boxes)),
        'background_mask': background_mask_from_boxes(boxes, (height, width)),
        'gt_seg_map': image[..., 0].copy(),
        'gt_seg_map_aux': image[..., 1].copy(),
        'seg_fields': ['background_mask', 'gt_seg_map', 'gt_seg_map_aux'],
    }


@pytest.fixture
def draw(monkeypatch):
    """Fix the random numbers that transforms draw."""

    def fix(name, value):
        monkeypatch.setattr(np.random, name, lambda *_: np.array(value))

    return fix


# Scale


def test_scaling_multiplies_boxes_and_keeps_the_mask_on_them():
    results = rescale(make_results(), 2.0)
    assert results['gt_bboxes'].tolist() == [[2, 2, 6, 8], [8, 0, 12, 4]]
    expected = background_mask_from_boxes(results['gt_bboxes'], (8, 12))
    assert results['background_mask'].tolist() == expected.tolist()
    assert results['img'].shape == (8, 12, 3)
    assert results['img_shape'] == (8, 12)
    assert results['scale_factor'] == (2.0, 2.0)


def test_maps_are_scaled_by_nearest_neighbour():
    results = rescale(make_results(), 0.5)
    assert results['gt_seg_map'].tolist() == [[0, 6, 12], [36, 42, 48]]
    assert results['gt_seg_map_aux'].tolist() == [[1, 7, 13], [37, 43, 49]]


def test_boxes_follow_the_factor_not_the_rounded_size():
    results = rescale(make_results(boxes=[(0, 0, 6, 4)]), 0.6)
    assert results['img_shape'] == (2, 4)
    np.testing.assert_allclose(results['gt_bboxes'], [[0, 0, 3.6, 2.4]], rtol=1e-6)


def test_a_tiny_image_keeps_one_pixel():
    assert rescale(make_results(1, 3, boxes=[(0, 0, 3, 1)]), 0.1)['img_shape'] == (1, 1)


def test_float_images_are_interpolated_without_rounding():
    results = make_results()
    results['img'] = results['img'].astype(np.float32)
    assert rescale(results, 1.5)['img'].dtype == np.float32
    assert (results['img'] % 1).any()


def test_images_without_boxes_can_be_scaled():
    assert rescale({'img': np.zeros((4, 6, 3), np.uint8)}, 1.5)['img_shape'] == (6, 9)
    assert rescale(make_results(boxes=()), 1.5)['gt_bboxes'].shape == (0, 4)


def test_random_scale_draws_from_its_range(draw):
    np.random.seed(0)
    drawn = [RandomBoxScale().transform(make_results())['scale_factor'][0] for _ in range(50)]
    assert 0.5 <= min(drawn) < 0.6
    assert 1.4 < max(drawn) <= 1.5


def test_random_scale_draws_from_a_set_of_factors():
    np.random.seed(0)
    scale = RandomBoxScale(factors=(0.5, 1.0, 1.5))
    drawn = [scale.transform(make_results())['scale_factor'][0] for _ in range(60)]
    assert set(drawn) == {0.5, 1.0, 1.5}
    assert all(10 <= drawn.count(factor) <= 30 for factor in set(drawn))


@pytest.mark.parametrize('factors', [(), (0.5, 0)])
def test_factors_are_positive(factors):
    with pytest.raises(ValueError, match='factors'):
        RandomBoxScale(factors=factors)


def test_the_same_seed_gives_the_same_scale():
    drawn = []
    for _ in range(2):
        np.random.seed(3)
        drawn.append(RandomBoxScale().transform(make_results())['scale_factor'])
    assert drawn[0] == drawn[1]


def test_random_long_side_scales_the_longer_side(draw):
    draw('uniform', 1.5)
    results = RandomLongSide(8, ratio_range=(0.5, 2)).transform(make_results())
    assert results['img_shape'] == (8, 12)
    assert results['gt_bboxes'].tolist() == [[2, 2, 6, 8], [8, 0, 12, 4]]


@pytest.mark.parametrize('bounds', [(0, 1), (1.5, 0.5), (-1, 1)])
def test_an_impossible_range_is_an_error(bounds):
    with pytest.raises(ValueError, match='low'):
        RandomBoxScale(scale_range=bounds)
    with pytest.raises(ValueError, match='low'):
        RandomLongSide(8, ratio_range=bounds)


# Pad and crop


def test_padding_is_the_same_on_both_sides():
    padded = pad_symmetric(np.array([[1, 2, 3]]), (3, 3), 9)
    assert padded.tolist() == [[9, 9, 9], [1, 2, 3], [9, 9, 9]]


def test_an_odd_difference_pads_one_pixel_too_many():
    padded = pad_symmetric(np.array([[1], [2]]), (2, 4), 9)
    assert padded.tolist() == [[9, 9, 1, 9, 9], [9, 9, 2, 9, 9]]


def test_no_padding_where_the_image_is_large_enough():
    image = np.ones((5, 6, 3))
    assert pad_symmetric(image, (5, 4), (1, 2, 3)) is image


def test_small_images_are_padded_with_their_own_values(draw):
    draw('rand', [0.0, 0.0])
    results = PadRandomCrop(8).transform(make_results())  # 2 rows above, 1 column left
    assert results['img'].shape == (8, 8, 3)
    assert results['img'][0, 0].tolist() == [104, 117, 123]
    assert results['img'][2, 1].tolist() == [0, 1, 2]
    assert results['background_mask'][:2].sum() == 0
    assert results['background_mask'][2:6, 1:7].tolist() == (
        make_results()['background_mask'].tolist()
    )
    for key in ('gt_seg_map', 'gt_seg_map_aux'):
        assert (results[key][:2] == 255).all()
        assert (results[key][:, 0] == 255).all()
        assert results[key][2, 1] == make_results()[key][0, 0]
    assert results['gt_bboxes'].tolist() == [[2, 3, 4, 6], [5, 2, 7, 4]]
    assert results['img_shape'] == (8, 8)


def test_the_crop_moves_boxes_and_maps_together(draw):
    draw('rand', [0.99, 0.5])  # floor(0.99 * (4 - 3)) = 0, floor(0.5 * (6 - 3)) = 1
    results = PadRandomCrop(3).transform(make_results())
    assert results['img'].tolist() == make_results()['img'][0:3, 1:4].tolist()
    assert results['gt_seg_map_aux'].tolist() == make_results()['gt_seg_map_aux'][0:3, 1:4].tolist()
    assert results['gt_bboxes'].tolist() == [[0, 1, 2, 4]]  # bottom beyond the crop: 3 + 1
    assert results['gt_bboxes_labels'].tolist() == [0]  # the second starts where the crop ends


def test_the_last_position_is_never_drawn():
    np.random.seed(0)
    crop = PadRandomCrop(3)
    lefts = {crop._draw((4, 6)) for _ in range(200)}
    assert lefts == {(0, 0), (0, 1), (0, 2)}


def test_crops_may_be_oblong(draw):
    draw('rand', [0.0, 0.0])
    assert PadRandomCrop((2, 5)).transform(make_results())['img'].shape == (2, 5, 3)


@pytest.mark.parametrize('size', [0, (3, 0), (1, 2, 3)])
def test_an_impossible_crop_is_an_error(size):
    with pytest.raises(ValueError, match='crop_size'):
        PadRandomCrop(size)


@pytest.mark.parametrize(
    ('box', 'clipped'),
    [
        ([10, 20, 30, 40], [10, 20, 30, 40]),
        ([-5, -1, 30, 40], [0, 0, 30, 40]),
        ([10, 20, 321, 321], [10, 20, 321, 321]),
        ([10, 20, 321.5, 400], [10, 20, 322, 322]),
        ([-9, -9, 999, 999], [0, 0, 322, 322]),
        ([320, 0, 350, 9], [320, 0, 322, 9]),  # the sliver of the published rule
        ([321, 0, 350, 9], None),
        ([0, 321, 9, 350], None),
        ([-9, 0, 0, 9], None),
        ([0, -9, 9, 0], None),
        ([5, 5, 5, 9], None),
        ([9, 5, 5, 9], None),
    ],
)
def test_boxes_are_clipped_by_the_published_rule(box, clipped):
    boxes, kept = clip_boxes(np.array([box], dtype=np.float32), (321, 321))
    assert boxes.tolist() == ([] if clipped is None else [clipped])
    assert kept.tolist() == [clipped is not None]


def test_small_boxes_are_dropped_on_request():
    boxes = np.array([[320, 0, 350, 9], [0, 0, 4, 4], [0, 0, 4, 3.9]], dtype=np.float32)
    _, kept = clip_boxes(boxes, (321, 321), min_size=4)
    assert kept.tolist() == [False, True, False]


def test_no_box_stays_no_box():
    boxes, kept = clip_boxes(np.zeros((0, 4), dtype=np.float32), (3, 3))
    assert boxes.shape == (0, 4)
    assert kept.shape == (0,)


def test_height_and_width_are_not_mixed_up():
    boxes, _ = clip_boxes(np.array([[0, 0, 9, 9]], dtype=np.float32), (4, 6))
    assert boxes.tolist() == [[0, 0, 7, 5]]


# The transforms of mmseg on our fields


def test_flip_mirrors_boxes_at_the_width():
    flip = TRANSFORMS.build({'type': 'RandomFlip', 'prob': 1.0})
    results = flip(make_results())
    assert results['gt_bboxes'].tolist() == [[3, 1, 5, 4], [0, 0, 2, 2]]
    expected = background_mask_from_boxes(results['gt_bboxes'], (4, 6))
    assert results['background_mask'].tolist() == expected.tolist()
    assert results['gt_seg_map_aux'].tolist() == make_results()['gt_seg_map_aux'][:, ::-1].tolist()


def test_resize_keeps_boxes_and_background_mask_together():
    resize = TRANSFORMS.build({'type': 'Resize', 'scale': (12, 12), 'keep_ratio': True})
    results = resize(make_results())
    assert results['gt_bboxes'].tolist() == [[2, 2, 6, 8], [8, 0, 12, 4]]
    expected = background_mask_from_boxes(results['gt_bboxes'], (8, 12))
    assert results['background_mask'].tolist() == expected.tolist()
    assert results['gt_seg_map_aux'].shape == (8, 12)


def test_integer_scale_crop_and_flip_keep_the_mask_exactly_on_the_boxes():
    flip = TRANSFORMS.build({'type': 'RandomFlip', 'prob': 0.5})
    rng = np.random.default_rng(0)
    np.random.seed(0)
    for _ in range(30):
        low = rng.integers(0, 12, (3, 2))
        boxes = np.concatenate([low, low + rng.integers(1, 9, (3, 2))], axis=1).clip(max=16)
        results = rescale(make_results(16, 16, boxes), float(rng.integers(1, 3)))
        height = results['img_shape'][0]
        results = flip(PadRandomCrop(20).transform(results))
        inside = np.zeros((20, 20), dtype=bool)
        for x1, y1, x2, y2 in results['gt_bboxes'].clip(0, 20).astype(int):
            inside[y1:y2, x1:x2] = True
        assert not results['background_mask'][inside].any()
        if height > 20:  # nothing was padded
            assert results['background_mask'][~inside].all()
