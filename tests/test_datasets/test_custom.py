import json

import numpy as np
import pytest
from PIL import Image

from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError

TAGS = {'a': ['dog', 'cat'], 'sub/b c': ['cat'], 'd': [], 'e': ['horse']}
LOADING = [{'type': 'LoadImage'}, {'type': 'LoadWeakAnnotations'}]
PACK = {'type': 'PackWeakInputs'}


def entries(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.fixture
def root(tmp_path):
    """Five images of 6 x 4 pixels, one of them unlabelled, with tags, boxes and a mask."""
    for name in ('images/sub', 'masks', 'pseudo/sub'):
        (tmp_path / name).mkdir(parents=True)
    for name in (*TAGS, 'unlabelled'):
        Image.new('RGB', (6, 4)).save(tmp_path / f'images/{name}.png')
    (tmp_path / 'tags.json').write_text(json.dumps(TAGS))
    Image.fromarray(np.uint8([[0, 1, 2, 3, 255, 0]] * 4)).save(tmp_path / 'masks/a.png')
    images = [dict(id=7, file_name='a.png', width=6, height=4)]
    categories = [dict(id=3, name='dog'), dict(id=9, name='cat')]
    objects = [
        dict(id=1, image_id=7, category_id=9, bbox=[1, 1, 3, 2], iscrowd=0),
        dict(id=2, image_id=7, category_id=3, bbox=[0, 0, 6, 4], iscrowd=1),
        dict(id=3, image_id=7, category_id=9, bbox=[1, 1, 0.5, 2], iscrowd=0),
    ]
    content = dict(images=images, categories=categories, annotations=objects)
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def build(root):
    def of(data=None, **options):
        data = {'root': str(root), 'classes': ('cat', 'dog'), 'labels': 'tags.json', **(data or {})}
        return DATASETS.build({'type': 'CustomWeakDataset', 'data': data, **options})

    return of


def test_tags_of_own_data(build, root):
    a, d, e, b = entries(build())
    assert [entry['img_id'] for entry in (a, d, e, b)] == ['a', 'd', 'e', 'sub/b c']
    assert [entry['gt_label'] for entry in (a, d, e, b)] == [[0, 1], [], [], [0]]
    assert b['img_path'] == str(root / 'images/sub/b c.png')
    assert (a['num_classes'], a['seg_fields']) == (2, [])
    assert not {'instances', 'seg_map_path', 'mask_values'} & set(a)


def test_boxes_are_loaded_and_crowds_are_not(build, notes):
    (a,) = entries(build({'labels': 'coco.json'}, supervision='box'))
    assert a['instances'] == [{'bbox': [1, 1, 4, 3], 'bbox_label': 0}]
    assert any('crowds' in note for note in notes)


def test_boxes_serve_as_tags_with_those_of_crowds(build, notes):
    (a,) = entries(build({'labels': 'coco.json'}))
    assert a['gt_label'] == [0, 1]


def test_boxes_asked_of_tags_are_one_clear_line(build):
    with pytest.raises(UserInputError, match=r'tags\.json has tags, but boxes are needed'):
        build(supervision='box')


def test_images_without_a_label_are_left_out_and_counted(build, root, notes):
    (root / 'train.txt').write_text('unlabelled\nd\n')
    (d,) = entries(build({'train': 'train.txt'}))
    assert d['img_id'] == 'd'
    assert notes == ['1 images without a label are left out (first: unlabelled).']
    assert len(build({'train': 'train.txt'}, supervision=None)) == 2


def test_a_list_without_labelled_images_is_refused(build, root, notes):
    (root / 'train.txt').write_text('unlabelled\n')
    with pytest.raises(UserInputError, match=r"No image of '.*train\.txt' has a label"):
        build({'train': 'train.txt'})


def test_pseudo_labels_are_found_by_the_id(build, root, notes):
    for name in ('a', 'sub/b c'):
        Image.new('L', (6, 4)).save(root / f'pseudo/{name}.png')
    options = dict(supervision=None, data_prefix={'seg_map_path': str(root / 'pseudo')})
    a, b = entries(build(missing_seg_map='skip', **options))
    assert b['seg_map_path'] == str(root / 'pseudo/sub/b c.png')
    assert 'mask_values' not in a
    with pytest.raises(UserInputError, match=r"lacks 2 of 4 label maps.*'d\.png'"):
        build(**options)


@pytest.mark.parametrize('names', [('cat', 'dog'), ('x', 'y')])
@pytest.mark.parametrize(('others', 'third'), [('background', 0), ('ignore', 255)])
def test_true_masks_are_mapped_by_name_whatever_the_own_names(build, names, others, third):
    masks = dict(path='masks', classes=('dog', 'cat', 'horse'), others=others)
    data = dict(classes=dict(zip(('cat', 'dog'), names, strict=True)), masks=masks)
    pipeline = [*LOADING, {'type': 'LoadAnnotations'}, PACK]
    dataset = build(data, true_masks=True, missing_seg_map='skip', pipeline=pipeline)
    (packed,) = list(dataset)
    mask = packed['data_samples'].gt_sem_seg.data[0]
    assert mask[0].tolist() == [0, 2, 1, third, 255, 0]


def test_masks_are_given_where_there_are_some(build, notes):
    a, *others = entries(build({'masks': 'masks'}, true_masks=True))
    assert a['seg_map_path'].endswith('masks/a.png')
    assert len(others) == 3
    assert not any('seg_map_path' in entry for entry in others)
    assert len(build({'masks': 'masks'}, true_masks=True, missing_seg_map='skip')) == 1
    assert notes == ['3 images without a true mask are left out (first: d).']
    assert 'seg_map_path' not in entries(build({'masks': 'masks'}))[0]


def test_a_value_of_no_class_names_the_key_of_the_data_file(build):
    pipeline = [*LOADING, {'type': 'LoadAnnotations'}, PACK]
    dataset = build({'masks': 'masks'}, true_masks=True, pipeline=pipeline)
    with pytest.raises(UserInputError, match=r'a\.png has the value 3.*`masks=dict\(path='):
        dataset[0]


def test_an_image_is_validated_with_its_mask_and_needs_no_label(build, root):
    (root / 'val.txt').write_text('unlabelled.png\n')
    Image.new('L', (6, 4)).save(root / 'masks/unlabelled.png')
    data = {'val': 'val.txt', 'masks': 'masks'}
    (entry,) = entries(build(data, split='val', supervision=None, true_masks=True, test_mode=True))
    assert entry['seg_map_path'].endswith('masks/unlabelled.png')
    assert len(build(data)) == 4


def test_two_names_of_a_mask_are_refused(build):
    with pytest.raises(UserInputError, match='both name the label maps'):
        build({'masks': 'masks'}, true_masks=True, data_prefix={'seg_map_path': 'x'})


def test_another_split_is_refused(build):
    with pytest.raises(UserInputError, match=r"`split` to be one of .* got 'test'"):
        build(split='test')
