import copy
import json

import pytest

from mmwsss.datasets.label_formats import label_files
from mmwsss.structures import UserInputError

COCO = {
    'info': {'year': 2014},
    'images': [
        {'id': 9, 'file_name': 'b.jpg', 'width': 20, 'height': 10},
        {'id': 1, 'file_name': 'a.jpg', 'width': 20, 'height': 10},
        {'id': 4, 'file_name': 'without.jpg', 'width': 20, 'height': 10},
    ],
    'annotations': [
        {'id': 7, 'image_id': 1, 'category_id': 90, 'bbox': [1, 2, 3, 4], 'iscrowd': 0},
        {'id': 3, 'image_id': 9, 'category_id': 1, 'bbox': [0.5, 0, 19.5, 10], 'iscrowd': 0},
        {'id': 5, 'image_id': 1, 'category_id': 1, 'bbox': [0, 0, 20, 10], 'iscrowd': 1},
        {'id': 6, 'image_id': 1, 'category_id': 1, 'bbox': [2, 2, 2, 2]},
    ],
    'categories': [{'id': 90, 'name': 'dog'}, {'id': 1, 'name': 'cat'}],
}
BOXES = {
    'a': [('dog', (1, 2, 4, 6)), ('cat', None), ('cat', (2, 2, 4, 4))],
    'b': [('cat', (0.5, 0, 20, 10))],
}


@pytest.fixture
def photos(folder):
    return folder.add('a.jpg', 'b.jpg', 'without.jpg')


@pytest.fixture
def content():
    return copy.deepcopy(COCO)


def test_ids_of_any_base_with_gaps_and_crowds_without_a_box(photos, content):
    photos.write('labels', content)
    assert photos.read().has_boxes
    assert photos.boxes() == BOXES


def test_ids_may_be_strings_in_some_places(photos, content):
    for one in content['images']:
        one['id'] = str(one['id'])
    for one in content['annotations']:
        one['category_id'] = str(one['category_id'])
    photos.write('labels', content)
    assert photos.boxes() == BOXES


@pytest.mark.parametrize('start', ['', 'images/', '/data/photos/images/', '.\\'])
def test_file_names_may_hold_folders(photos, content, start):
    for one in content['images']:
        one['file_name'] = start + one['file_name']
    photos.write('labels', content)
    assert photos.boxes() == BOXES


def test_images_in_a_folder_per_split_have_names_without_it(folder, content):
    """As in COCO itself: images/train2014/ next to images/val2014/."""
    folder.add('train2014/a.jpg', 'train2014/b.jpg', 'val2014/c.jpg').write('labels', content)
    assert sorted(folder.boxes()) == ['train2014/a', 'train2014/b']


def test_categories_of_one_name_are_one_class_and_a_root_is_nobodys(photos, content):
    """Roboflow writes a root category, which may have the name of a class."""
    content['categories'] += [
        {'id': 0, 'name': 'cat', 'supercategory': 'none'},
        {'id': 2, 'name': 'animals', 'supercategory': 'none'},
    ]
    content['annotations'][1]['category_id'] = 0
    photos.write('labels', content)
    assert photos.boxes() == BOXES


def test_annotations_without_boxes_are_tags(photos, content):
    for one in content['annotations']:
        del one['bbox']
    photos.write('labels', content)
    labels = photos.read()
    assert not labels.has_boxes
    assert photos.tags() == {'a': ['dog', 'cat', 'cat'], 'b': ['cat']}


@pytest.mark.parametrize('indent', [None, 2])
def test_polygons_are_not_parsed(photos, content, indent):
    polygons = [[1.5, 2, 3e1, -4], [5, 6, 7, 8]]
    content['annotations'][0]['segmentation'] = polygons
    content['annotations'][1] = {'segmentation': polygons, **content['annotations'][1]}
    content['annotations'][2]['segmentation'] = {'counts': [1, 2], 'size': [10, 20]}
    content['annotations'][3]['segmentation'] = []
    content['info']['description'] = 'a "segmentation": [[1]], see \\"segmentation": [[2]]'
    photos.write('labels', json.dumps(content, indent=indent))
    parsed = label_files.read_annotation_json(photos.root / 'labels')
    found = [one.get('segmentation') for one in parsed['annotations']]
    assert found == [None, None, {'counts': [1, 2], 'size': [10, 20]}, []]
    assert parsed['info'] == content['info']
    assert photos.boxes() == BOXES


@pytest.mark.parametrize('text', ['{"segmentation": [[', '{"segmentation": [["a"]]}', '{"a": ['])
@pytest.mark.parametrize('keep', [False, True])
def test_polygons_that_are_none_are_invalid(photos, text, keep):
    path = photos.write('labels', text)
    with pytest.raises(UserInputError, match='is not valid JSON'):
        label_files.read_annotation_json(path, keep_polygons=keep)


def test_polygons_may_be_kept_as_text(photos, content):
    polygons = [[1.5, 2, 3e1, -4], [5, 6, 7, 8]]
    content['annotations'][0]['segmentation'] = polygons
    path = photos.write('labels', json.dumps(content, indent=1))
    kept = label_files.read_annotation_json(path, keep_polygons=True)
    assert json.loads(kept['annotations'][0]['segmentation']) == polygons


def broken(path, value):
    """The file with one place changed; ``...`` removes it."""
    content = copy.deepcopy(COCO)
    node = content
    for key in path[:-1]:
        node = node[key]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        (['categories'], ..., '`categories` is missing'),
        (['images'], {}, '`images` is missing or not a list'),
        (['annotations', 0], 3, '`annotations` is missing or not a list of objects'),
        (['images', 0, 'id'], 1, '1 ids occur twice'),
        (['images', 0, 'id'], '1', '1 ids occur twice'),
        (['images', 0, 'id'], True, '`id` is True'),
        (['images', 0, 'id'], 8, "id 3: its .image_id. '9' is not in .images."),
        (['images', 0, 'file_name'], 'a.jpg', r"'a\.jpg' is the `file_name` of another image"),
        (['images', 0, 'file_name'], 'a.png', 'labels of the same image'),
        (['images', 0, 'file_name'], '../../b.jpg', 'is not an image id'),
        (['images', 0, 'file_name'], None, '`file_name` is None'),
        (['images', 0, 'file_name'], 'lost.jpg', r"no image for 1 of its 2 labels: 'lost\.jpg'"),
        (['annotations', 0, 'category_id'], 12, '`category_id` is not in `categories`'),
        (['annotations', 0, 'category_id'], ..., '`category_id` is None'),
        (['annotations', 0, 'bbox'], ..., '2 annotations have a `bbox`, but 1 have none'),
        (['annotations', 0, 'bbox'], [1, 2, 3], 'the entry with the id 7: `bbox` is'),
        (['annotations', 0, 'bbox'], [1, 2, 3, '4'], '`bbox` is'),
        (['categories', 0, 'name'], ' ', '`name` is'),
    ],
)
def test_a_mistake_is_explained(photos, path, value, message):
    photos.write('labels', broken(path, value))
    with pytest.raises(UserInputError, match=message):
        photos.read()


def test_a_file_that_is_cut_off_is_explained(photos, content):
    photos.write('labels', json.dumps(content)[:-40])
    with pytest.raises(UserInputError, match='is not valid JSON'):
        photos.read()


def test_a_list_of_results_is_explained(photos):
    photos.write('labels', [{'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'score': 1}])
    with pytest.raises(UserInputError, match=r'COCO file\s+with `images`'):
        photos.read(format='coco')
