import json

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets import VOCWeakDataset
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError

DOG, PERSON, CAT = 11, 14, 7  # foreground indices of VOC


def build(voc, **options):
    options = {'ann_file': 'lists/train.txt', 'data_root': str(voc.root), **options}
    return DATASETS.build({'type': 'VOCWeakDataset', **options})


def entries(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.fixture
def two(voc):
    voc.add('a', ('person', (2, 3, 7, 8)), ('dog', (1, 1, 4, 5), True), ('person', (0, 0, 2, 2)))
    return voc.add('b', ('cat', (1, 2, 3, 4)))


def test_voc_has_twenty_foreground_classes_with_a_palette(two):
    dataset = build(two)
    assert len(dataset.foreground_classes) == 20
    assert dataset.foreground_classes[DOG] == 'dog'
    assert len(dataset.metainfo['palette']) == 21


def test_boxes_come_in_file_order_and_without_parts(two):
    a, _ = entries(build(two))
    assert a['instances'] == [
        {'bbox': [2, 3, 7, 8], 'bbox_label': PERSON},
        {'bbox': [1, 1, 4, 5], 'bbox_label': DOG},
        {'bbox': [0, 0, 2, 2], 'bbox_label': PERSON},
    ]
    assert (a['img_id'], a['num_classes']) == ('a', 20)
    assert a['img_path'] == str(two.root / 'JPEGImages/a.jpg')


def test_no_mask_is_named_unless_asked_for(two):
    assert 'seg_map_path' not in entries(build(two))[0]
    a = entries(build(two, data_prefix={'seg_map_path': 'SegmentationClass'}))[0]
    assert a['seg_map_path'] == str(two.root / 'SegmentationClass/a.png')


def test_tags_are_the_sorted_classes_of_the_xml_file(two):
    a, b = entries(build(two, supervision='tag'))
    assert (a['gt_label'], b['gt_label']) == ([DOG, PERSON], [CAT])
    assert 'instances' not in a


def test_background_masks_are_read_from_a_folder_on_request(two):
    folder = two.root / 'masks'
    folder.mkdir()
    for name in ('a', 'b'):
        Image.fromarray(np.ones((8, 10), dtype=np.uint8)).save(folder / f'{name}.png')
    options = {'data_prefix': {'background_mask_path': 'masks'}}
    a, _ = entries(build(two, **options))
    assert a['background_mask_path'] == str(folder / 'a.png')
    (folder / 'a.png').unlink()
    with pytest.raises(UserInputError, match=r"lacks 1 of 2 background masks.*'a\.png'.*complete"):
        build(two, **options)
    with pytest.raises(UserInputError, match=r"supervision='box', got 'tag'"):
        build(two, supervision='tag', **options)


def test_difficult_objects_can_be_left_out(two):
    a, _ = entries(build(two, supervision='tag', keep_difficult=False))
    assert a['gt_label'] == [PERSON]


def test_tags_come_from_a_json_file_by_name_or_index(two):
    (two.root / 'tags.json').write_text(json.dumps({'a': ['dog', 0, 'dog'], 'b': []}))
    a, b = entries(build(two, supervision='tag', label_file='tags.json'))
    assert (a['gt_label'], b['gt_label']) == ([0, DOG], [])


def test_a_label_file_alone_names_the_images(two):
    (two.root / 'tags.json').write_text(json.dumps({'b': ['dog']}))
    (b,) = entries(build(two, ann_file='', supervision='tag', label_file='tags.json'))
    assert b['img_id'] == 'b'


@pytest.mark.parametrize('tag', ['unicorn', 20, -1, 'background'])
def test_an_unknown_tag_is_an_error_that_names_file_tag_and_classes(two, tag):
    (two.root / 'tags.json').write_text(json.dumps({'a': [tag], 'b': []}))
    with pytest.raises(UserInputError, match=rf'tags\.json.*{tag}.*aeroplane'):
        build(two, supervision='tag', label_file='tags.json')


def test_an_unknown_class_in_xml_is_an_error(two):
    two.add('c', ('unicorn', (1, 1, 2, 2)))
    with pytest.raises(UserInputError, match=r'c\.xml.*unicorn.*aeroplane'):
        build(two)


def test_a_subset_of_the_classes_selects_and_renumbers(two, notes):
    dataset = build(two, metainfo={'classes': ('background', 'person', 'cat')})
    a, b = entries(dataset)
    assert [i['bbox_label'] for i in a['instances']] == [0, 0]
    assert [i['bbox_label'] for i in b['instances']] == [1]
    assert a['num_classes'] == 2
    assert dataset.metainfo['palette'] == [[0, 0, 0], [192, 128, 128], [64, 0, 0]]  # of VOC
    assert notes == ['1 objects of classes that are not in use are left out (first: a).']


def test_own_classes_need_no_code(voc):
    voc.add('a', ('kiwi', (1, 1, 4, 5)))
    dataset = build(voc, metainfo={'classes': ('background', 'apple', 'kiwi')})
    assert entries(dataset)[0]['instances'][0]['bbox_label'] == 1
    assert len(dataset.metainfo['palette']) == 3


def test_more_own_classes_than_colours_get_a_palette(voc):
    voc.add('a', ('c29', (1, 1, 4, 5)))
    names = ('background', *(f'c{i}' for i in range(30)))
    dataset = build(voc, metainfo={'classes': names})
    assert len(dataset.metainfo['palette']) == 31


def test_own_classes_refuse_the_names_of_voc(voc):
    voc.add('a', ('dog', (1, 1, 4, 5)))
    with pytest.raises(UserInputError, match='dog'):
        build(voc, metainfo={'classes': ('background', 'apple')})


def test_the_first_class_must_be_the_background(two):
    with pytest.raises(UserInputError, match="'background'"):
        build(two, metainfo={'classes': ('person', 'cat')})


@pytest.mark.parametrize('supervision', ['box', 'tag'])
def test_images_without_xml_are_left_out_with_one_counted_warning(two, notes, supervision):
    two.add('c', xml=False).add('d', xml=False)
    dataset = build(two, supervision=supervision)
    assert [entry['img_id'] for entry in entries(dataset)] == ['a', 'b']
    assert notes == ['2 images without an annotation are left out (first: c).']


def test_images_without_xml_can_be_empty_or_an_error(two, notes):
    two.add('c', xml=False)
    assert entries(build(two, missing_annotation='empty'))[2]['instances'] == []
    tagged = build(two, missing_annotation='empty', supervision='tag')
    assert entries(tagged)[2]['gt_label'] == []
    with pytest.raises(UserInputError, match="'c'"):
        build(two, missing_annotation='error')


def test_an_xml_file_without_objects_is_kept_as_background(two, notes):
    two.add('c')
    assert entries(build(two))[2]['instances'] == []
    assert notes == []


def test_boxes_below_one_pixel_are_dropped_and_counted(voc, notes):
    thin = ((3, 3, 3, 6), (5, 5, 2, 6), (4.2, 1, 4.9, 6))
    voc.add('a', *(('dog', box) for box in (*thin, (1, 1, 2, 2), (3.5, 3, 4.5, 4.25))))
    boxes = [instance['bbox'] for instance in entries(build(voc))[0]['instances']]
    assert boxes == [[1, 1, 2, 2], [3.5, 3, 4.5, 4.25]]
    expected = '3 boxes with a side below 1 pixel or swapped corners are left out (first: a).'
    assert notes == [expected]


def test_boxes_below_one_pixel_in_the_image_are_counted(voc, notes):
    voc.add('a', ('dog', (9.5, 3, 30, 6)), ('dog', (1, 20, 4, 30)), ('dog', (1, 1, 2, 2)))
    dataset = build(voc, pipeline=[{'type': 'LoadImage'}, {'type': 'LoadWeakAnnotations'}])
    assert dataset[0]['gt_bboxes'].tolist() == [[1, 1, 2, 2]]
    assert notes == [
        '2 boxes have a side below 1 pixel inside the image and are left out there (first: a).'
    ]


def test_boxes_beyond_the_image_are_counted(voc, notes):
    voc.add('a', ('dog', (-1, 3, 30, 6)))
    assert len(entries(build(voc))[0]['instances']) == 1
    assert notes == ['1 boxes reach beyond the image and are clipped to it (first: a).']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'data_root': '/no/such/root'}, 'MMWSSS_DATA'),
        ({'ann_file': 'lists/no.txt'}, r'no\.txt'),
        ({'ann_file': ''}, 'ann_file'),
        ({'data_prefix': {'ann_path': 'no'}}, 'ann_path'),
        ({'data_prefix': {'img_path': 'no'}}, "lacks 2 of 2 images, the first is 'a.jpg'"),
        ({'supervision': 'boxes'}, "got 'boxes'"),
        ({'label_file': 'tags.json'}, "supervision='tag'"),
        ({'supervision': 'tag', 'label_file': 'no.json'}, r'no\.json'),
    ],
)
def test_a_wrong_setting_is_one_clear_error(two, options, message):
    with pytest.raises(UserInputError, match=message):
        build(two, **options)


def test_an_id_in_the_list_cannot_leave_the_data_root(two):
    (two.root / 'lists/evil.txt').write_text('a\n../../x\n')
    with pytest.raises(UserInputError, match=r"evil\.txt: '\.\./\.\./x'"):
        build(two, ann_file='lists/evil.txt')


def test_no_label_at_all_is_an_error(voc, notes):
    voc.add('a', xml=False)
    with pytest.raises(UserInputError, match='No image'):
        build(voc)


@pytest.fixture
def pseudo(two, tmp_path):
    folder = tmp_path / 'labels'
    folder.mkdir()
    Image.fromarray(np.zeros((8, 10), dtype=np.uint8)).save(folder / 'b.png')
    return str(folder)


def test_pseudo_labels_need_no_annotation(two, pseudo):
    (two.root / 'Annotations/a.xml').unlink()
    Image.fromarray(np.zeros((8, 10), dtype=np.uint8)).save(f'{pseudo}/a.png')
    prefix = {'seg_map_path': pseudo, 'aux_seg_map_path': pseudo, 'ann_path': 'no'}
    a, _ = entries(build(two, supervision=None, data_prefix=prefix))
    assert a['seg_map_path'] == a['aux_seg_map_path'] == f'{pseudo}/a.png'
    assert not {'gt_label', 'instances'} & set(a)


@pytest.mark.parametrize('key', ['seg_map_path', 'aux_seg_map_path'])
def test_an_incomplete_folder_of_pseudo_labels_is_one_error(two, pseudo, key):
    with pytest.raises(UserInputError, match=r"labels' lacks 1 of 2 label maps.*'a\.png'.*skip"):
        build(two, supervision=None, data_prefix={key: pseudo})


def test_images_without_pseudo_label_can_be_left_out(two, pseudo, notes):
    dataset = build(
        two, supervision=None, data_prefix={'seg_map_path': pseudo}, missing_seg_map='skip'
    )
    assert [entry['img_id'] for entry in entries(dataset)] == ['b']
    assert notes == ['1 images without label maps are left out (first: a).']


@pytest.mark.parametrize('key', ['foreground_score_path', 'background_score_path'])
def test_score_files_are_listed_and_looked_for_like_label_maps(two, tmp_path, notes, key):
    (tmp_path / 'low_scores').mkdir()
    (tmp_path / 'low_scores/b.npz').touch()
    options = dict(supervision=None, data_prefix={key: str(tmp_path / 'low_scores')})
    with pytest.raises(UserInputError, match=r"scores' lacks 1 of 2 score files.*'a\.npz'.*skip"):
        build(two, **options)
    (b,) = entries(build(two, missing_seg_map='skip', **options))
    assert b[key] == str(tmp_path / 'low_scores/b.npz')
    assert notes == ['1 images without score files are left out (first: a).']


def test_ids_may_lie_in_subfolders(two):
    for folder, suffix in (('JPEGImages', 'jpg'), ('Annotations', 'xml')):
        (two.root / folder / 'sub').mkdir()
        (two.root / folder / f'a.{suffix}').rename(two.root / folder / f'sub/a.{suffix}')
    (two.root / 'lists/sub.txt').write_text('sub/a\nb\n')
    assert len(build(two, ann_file='lists/sub.txt')) == 2


def test_the_class_builds_without_a_registry(two):
    assert len(VOCWeakDataset('lists/train.txt', data_root=str(two.root))) == 2
