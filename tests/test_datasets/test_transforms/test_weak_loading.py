import io

import numpy as np
import pytest
import torch
from PIL import Image

import mmwsss.datasets.transforms.loading as loading
from mmwsss.datasets.transforms import (
    LoadImage,
    LoadPseudoLabels,
    LoadWeakAnnotations,
    background_mask_from_boxes,
    read_image,
)
from mmwsss.pseudo_labels.class_boxes import class_boxes, union_of_boxes
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_images_are_bgr(tmp_path):
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    image[..., 0] = 200  # red
    Image.fromarray(image).save(tmp_path / 'a.png')
    results = LoadImage().transform({'img_path': str(tmp_path / 'a.png')})
    assert results['img'][0, 0].tolist() == [0, 0, 200]
    assert results['img_shape'] == results['ori_shape'] == (2, 3)
    assert results['img'].dtype == np.uint8
    results = LoadImage(to_float32=True).transform({'img_path': str(tmp_path / 'a.png')})
    assert results['img'].dtype == np.float32


@pytest.mark.parametrize(
    ('mode', 'suffix'),
    [('L', 'jpg'), ('CMYK', 'jpg'), ('RGBA', 'png'), ('LA', 'png'), ('P', 'png'), ('1', 'png')],
)
def test_every_kind_of_image_becomes_three_channels(tmp_path, mode, suffix, photo):
    path = tmp_path / f'a.{suffix}'
    Image.fromarray(photo).convert(mode).save(path)
    image = read_image(path)
    assert (image.shape, image.dtype) == ((40, 60, 3), np.uint8)


def test_alpha_is_dropped_not_blended(tmp_path):
    Image.new('RGBA', (2, 2), (10, 20, 30, 0)).save(tmp_path / 'a.png')
    assert read_image(tmp_path / 'a.png')[0, 0].tolist() == [10, 20, 30]


def damaged(tmp_path, photo, kind):
    path = tmp_path / 'JPEGImages' / 'bad.jpg'
    path.parent.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, 'JPEG')
    content = buffer.getvalue()
    contents = {'truncated': content[: len(content) // 2], 'text': b'no image', 'empty': b''}
    if kind != 'missing':
        path.write_bytes(contents[kind])
    return str(path)


@pytest.mark.parametrize('kind', ['truncated', 'text', 'empty', 'missing'])
def test_a_damaged_image_is_an_error_that_names_the_file(tmp_path, photo, kind):
    with pytest.raises(UserInputError, match=r'bad\.jpg'):
        LoadImage().transform({'img_path': damaged(tmp_path, photo, kind)})


def test_a_damaged_image_can_be_skipped_with_one_warning(tmp_path, photo, monkeypatch):
    logged = []
    monkeypatch.setattr(loading, 'print_log', lambda message, *_: logged.append(message))
    load, path = LoadImage(damaged='skip'), damaged(tmp_path, photo, 'truncated')
    assert load.transform({'img_path': path}) is None
    assert load.transform({'img_path': path}) is None
    assert len(logged) == 1
    assert 'bad.jpg' in logged[0]


def test_training_draws_another_image_for_a_damaged_one(voc, photo):
    voc.add('good', ('dog', (1, 1, 4, 4))).add('bad', ('dog', (1, 1, 4, 4)))
    damaged(voc.root, photo, 'truncated')
    dataset = DATASETS.build(
        {
            'type': 'VOCWeakDataset',
            'data_root': str(voc.root),
            'ann_file': 'lists/train.txt',
            'pipeline': [{'type': 'LoadImage', 'damaged': 'skip'}],
        }
    )
    assert dataset[1]['img_id'] == 'good'


def test_background_mask_excludes_the_maximum_sides():
    mask = background_mask_from_boxes(np.array([[1, 0, 3, 2], [3, 1, 5, 3]]), (4, 6))
    expected = [[1, 0, 0, 1, 1, 1], [1, 0, 0, 0, 0, 1], [1, 1, 1, 0, 0, 1], [1, 1, 1, 1, 1, 1]]
    assert mask.tolist() == expected
    assert mask.dtype == np.uint8


@pytest.mark.parametrize(
    ('side', 'covered'),
    [
        ((1.6, 3.4), [2]),  # rounded, not truncated
        ((1.4, 2.6), [1, 2]),
        ((1.5, 2.5), [2]),  # halves round to even numbers, but at least one pixel stays
        ((4.6, 6), [5]),
        ((10.2, 10.9), [10]),
    ],
)
def test_fractional_sides_of_the_background_mask(side, covered):
    mask = background_mask_from_boxes(np.array([[side[0], 0, side[1], 1]]), (1, 12))
    assert (mask[0] == 0).nonzero()[0].tolist() == covered


def test_background_mask_is_the_complement_of_the_boxes_of_pseudo_labels():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, [11, 8], (200, 2)).round(1)
    boxes = np.hstack([low, np.minimum(low + rng.uniform(1, 5, (200, 2)).round(1), [12, 9])])
    boxes = boxes.astype(np.float32)
    for box in boxes:
        one = torch.from_numpy(box[None])
        placed = class_boxes(one, torch.tensor([0]), torch.tensor([0]), (9, 12))
        union = union_of_boxes(placed, torch.zeros(1, 9, 12))
        mask = background_mask_from_boxes(box[None], (9, 12))
        assert (mask == 1 - union[0].numpy()).all()


def load_boxes(boxes, shape=(8, 10), **state):
    instances = [{'bbox': box, 'bbox_label': i} for i, box in enumerate(boxes)]
    results = {'instances': instances, 'ori_shape': shape, 'seg_fields': [], **state}
    return LoadWeakAnnotations().transform(results)


def test_boxes_are_clipped_to_the_image():
    results = load_boxes([[-3, 2, 4, 99], [11, 1, 14, 3]])
    assert results['gt_bboxes'].tolist() == [[0, 2, 4, 8]]  # the second lies fully outside
    assert results['gt_bboxes_labels'].tolist() == [0]
    assert (results['background_mask'] == 0).sum() == 4 * 6
    assert results['seg_fields'] == ['background_mask']


def test_boxes_with_a_side_below_one_pixel_in_the_image_are_left_out():
    boxes = [[6.2, 1, 6.9, 5], [9.5, 1, 14, 5], [1, 1, 2, 2], [3.5, 3, 4.5, 7]]
    results = load_boxes(boxes)
    assert results['gt_bboxes'].tolist() == boxes[2:]
    assert results['gt_bboxes_labels'].tolist() == [2, 3]
    assert (results['background_mask'] == 0).sum() == 1 + 4


@pytest.mark.parametrize('state', [{'img_shape': (16, 20)}, {'img_shape': (8, 10), 'flip': True}])
def test_boxes_are_refused_after_resizing_or_flipping(state):
    with pytest.raises(ValueError, match='right after LoadImage'):
        load_boxes([[1, 1, 4, 4]], **state)


def test_no_box_means_all_background():
    results = load_boxes([])
    assert results['gt_bboxes'].shape == (0, 4)
    assert results['gt_bboxes_labels'].shape == (0,)
    assert results['background_mask'].all()


def with_mask(path, mask):
    Image.fromarray(np.asarray(mask, dtype=np.uint8)).save(path)
    results = {'instances': [{'bbox': [0, 0, 2, 1], 'bbox_label': 3}], 'ori_shape': (2, 3)}
    return {**results, 'seg_fields': [], 'background_mask_path': str(path)}


def test_a_given_background_mask_is_used_as_it_is(tmp_path):
    given = [[0, 0, 0], [1, 1, 1]]  # the box leaves (0, 2) free
    results = LoadWeakAnnotations().transform(with_mask(tmp_path / 'a.png', given))
    assert results['background_mask'].tolist() == given
    assert results['gt_bboxes'].tolist() == [[0, 0, 2, 1]]


@pytest.mark.parametrize(
    ('mask', 'message'),
    [([[0, 255, 0], [1, 1, 1]], 'the value 255'), ([[0, 1]], '1x2, but its image is 2x3')],
)
def test_a_background_mask_of_another_kind_is_refused(tmp_path, mask, message):
    with pytest.raises(UserInputError, match=message):
        LoadWeakAnnotations().transform(with_mask(tmp_path / 'a.png', mask))


def test_tags_are_loaded_without_a_background_mask():
    results = LoadWeakAnnotations().transform({'gt_label': [3, 5], 'seg_fields': []})
    assert results['gt_label'].tolist() == [3, 5]
    assert results['seg_fields'] == []


def test_an_entry_without_label_is_an_error():
    with pytest.raises(ValueError, match='supervision'):
        LoadWeakAnnotations().transform({'seg_fields': []})


def load_pseudo(tmp_path, label, **keys):
    Image.fromarray(label).save(tmp_path / 'a.png')
    path = str(tmp_path / 'a.png')
    results = {'ori_shape': (2, 3), 'num_classes': 2, 'seg_fields': [], 'seg_map_path': path}
    return LoadPseudoLabels().transform({**results, **keys})


LABEL = np.array([[0, 1, 2], [255, 0, 0]], dtype=np.uint8)


def test_pseudo_labels_are_read_as_they_are(tmp_path):
    # A selection of classes remaps true masks, never pseudo labels.
    results = load_pseudo(tmp_path, LABEL, label_map={0: 0, 1: 2, 2: 255})
    assert results['gt_seg_map'].tolist() == LABEL.tolist()
    assert results['seg_fields'] == ['gt_seg_map']


def test_a_second_pseudo_label_is_a_seg_field_too(tmp_path):
    results = load_pseudo(tmp_path, LABEL, aux_seg_map_path=str(tmp_path / 'a.png'))
    assert results['gt_seg_map_aux'].tolist() == LABEL.tolist()
    assert results['seg_fields'] == ['gt_seg_map', 'gt_seg_map_aux']


def test_palette_images_give_indices(tmp_path):
    image = Image.fromarray(LABEL)
    image.putpalette([7] * 768)
    image.save(tmp_path / 'p.png')
    results = load_pseudo(tmp_path, LABEL, seg_map_path=str(tmp_path / 'p.png'))
    assert results['gt_seg_map'].tolist() == LABEL.tolist()


def test_a_wrong_value_in_a_pseudo_label_is_an_error(tmp_path):
    with pytest.raises(UserInputError, match=r'a\.png has the value 3; expected 0\.\.2'):
        load_pseudo(tmp_path, np.where(LABEL == 1, 3, LABEL).astype(np.uint8))


def test_a_pseudo_label_of_another_size_is_an_error(tmp_path):
    with pytest.raises(UserInputError, match='2x3, but its image is 5x3'):
        load_pseudo(tmp_path, LABEL, ori_shape=(5, 3))


def test_a_label_map_of_colours_is_an_error(tmp_path):
    Image.fromarray(np.zeros((2, 3, 3), dtype=np.uint8)).save(tmp_path / 'c.png')
    with pytest.raises(UserInputError, match=r"c\.png.*'RGB'"):
        load_pseudo(tmp_path, LABEL, seg_map_path=str(tmp_path / 'c.png'))


def test_a_dataset_without_label_maps_is_named(tmp_path):
    with pytest.raises(ValueError, match=r'data_prefix\.seg_map_path'):
        LoadPseudoLabels().transform({'ori_shape': (2, 3), 'num_classes': 2, 'seg_fields': []})
