import json
from xml.sax.saxutils import escape

import pytest
from PIL import Image

from mmwsss.datasets.label_formats import FORMATS, read_labels
from mmwsss.structures import UserInputError

CLASSES = ('cat', 'traffic light')
# Twelve images of 20 x 10: mixed suffixes, spaces, umlauts, sub-folders.
NAMES = [
    *('a.jpg', 'b.JPG', 'c.png', 'd e.jpeg', 'Kätzchen über.webp', 'sub/a.bmp'),
    *('sub/deep/f.jpg', 'sub/deep/g.h.png', '0012.jpg', '12.jpg', 'ø.tif', 'Z.PNG'),
]


def objects_of(index):
    """Cats left, traffic lights right; the third image has both, the fourth two cats."""
    cat = ('cat', (0.0, 2.0, 8.0, 10.0))
    light = ('traffic light', (15.0, 0.0, 20.0, 5.0))
    return {0: [cat], 1: [light], 2: [cat, light], 3: [cat, ('cat', (5.0, 5.0, 15.0, 10.0))]}[
        index % 4
    ]


@pytest.fixture
def written(folder):
    """The same labels in all formats: {format: path}."""
    folder.add(*NAMES)
    labels = {name: objects_of(index) for index, name in enumerate(NAMES)}
    tags = {name: sorted({c for c, _ in found}) for name, found in labels.items()}
    rows = ''.join(f'{name},{";".join(found)}\n' for name, found in tags.items())
    folder.write('labels.csv', 'file,tags\n' + rows)
    folder.write('tags.json', {name.rpartition('.')[0]: found for name, found in tags.items()})
    folder.write('coco.json', coco(labels))
    folder.write('data.yaml', f'names: {list(CLASSES)}\n')
    for name, found in labels.items():
        stem = name.rpartition('.')[0]
        folder.write(f'yolo/{stem}.txt', yolo(found))
        folder.write(f'voc/{stem}.xml', voc(found))
        for class_name in tags[name]:
            copy = folder.root / 'folders' / class_name / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', (2, 2)).save(copy)
    paths = ('tags.json', 'coco.json', 'labels.csv', 'voc', 'yolo', 'folders')
    return folder, dict(zip(FORMATS, paths, strict=True))


def coco(labels):
    numbers = {name: 100 + 7 * index for index, name in enumerate(labels)}
    ids = {'traffic light': 10, 'cat': 17}
    objects = [(name, one) for name, found in labels.items() for one in found]
    return {
        'images': [{'id': number, 'file_name': name} for name, number in numbers.items()],
        'annotations': [
            {
                'id': index,
                'image_id': numbers[name],
                'category_id': ids[class_name],
                'bbox': [x1, y1, x2 - x1, y2 - y1],
                'iscrowd': 0,
                'segmentation': [[x1, y1, x2, y1, x2, y2]],
            }
            for index, (name, (class_name, (x1, y1, x2, y2))) in enumerate(objects)
        ],
        'categories': [{'id': number, 'name': name} for name, number in ids.items()],
    }


def yolo(objects):
    return ''.join(
        f'{CLASSES.index(name)} {(x1 + x2) / 40} {(y1 + y2) / 20} {(x2 - x1) / 20} '
        f'{(y2 - y1) / 10}\n'
        for name, (x1, y1, x2, y2) in objects
    )


def voc(objects):
    corners = ('xmin', 'ymin', 'xmax', 'ymax')
    found = ''
    for name, box in objects:
        inner = ''.join(f'<{k}>{v}</{k}>' for k, v in zip(corners, box, strict=True))
        found += f'<object><name>{escape(name)}</name><bndbox>{inner}</bndbox></object>'
    return f'<annotation>{found}</annotation>'


@pytest.mark.parametrize('stated', [False, True], ids=['found', 'stated'])
def test_all_formats_give_the_same_tags_and_boxes(written, stated):
    folder, paths = written
    ids = [name.rpartition('.')[0] for name in NAMES]
    labels = {
        name: folder.read(path, classes=CLASSES, format=name if stated else None)
        for name, path in paths.items()
    }
    for name, found in labels.items():
        assert sorted(found.objects) == sorted(ids), name
        for index, img_id in enumerate(ids):
            objects = found.objects[img_id]
            assert {one.name for one in objects} == {c for c, _ in objects_of(index)}, name
            if found.has_boxes:
                assert [one.name for one in objects] == [c for c, _ in objects_of(index)]
                for one, (_, box) in zip(objects, objects_of(index), strict=True):
                    assert one.box == pytest.approx(box)
            else:
                assert {one.box for one in objects} == {None}
    assert [name for name in FORMATS if labels[name].has_boxes] == ['coco', 'voc', 'yolo']


@pytest.mark.parametrize('name', FORMATS)
def test_labels_without_images_are_refused_with_the_first_five_names(written, name):
    folder, paths = written
    for name_of_image in NAMES[:6]:
        del folder.files[name_of_image.rpartition('.')[0]]
    with pytest.raises(UserInputError, match='no image for 6 of its') as error:
        folder.read(paths[name], classes=CLASSES)
    listed = str(error.value)
    assert sum(stem in listed for stem in ("'a", "'b", "'c", "'d e", "'Kätz", "'sub/a")) == 5
    assert ', ...' in listed


@pytest.mark.parametrize('name', FORMATS)
def test_images_without_labels_are_left_out(written, name):
    folder, paths = written
    folder.add('new.jpg', 'sub/new.jpg')
    objects = folder.read(paths[name], classes=CLASSES).objects
    assert not {'new', 'sub/new'} & set(objects)


@pytest.mark.parametrize('name', FORMATS)
def test_a_file_in_place_of_a_folder_is_explained(written, name):
    folder, paths = written
    other = paths['yolo' if name in ('tags', 'coco', 'csv') else 'csv']
    with pytest.raises(UserInputError, match=f"format='{name}' expects"):
        folder.read(other, format=name)


def test_an_unknown_format_is_explained(folder):
    with pytest.raises(UserInputError, match="'tags', 'coco', 'csv', 'voc', 'yolo', 'folders'"):
        folder.read(format='labelme')


def test_labels_that_do_not_exist_are_explained(folder):
    with pytest.raises(UserInputError, match="'nowhere' do not exist"):
        read_labels('nowhere', image_files={})


def test_a_folder_of_two_formats_is_explained(folder):
    folder.write('labels/a.xml', voc([]))
    folder.write('labels/a.txt', '0 0.5 0.5 1 1')
    with pytest.raises(UserInputError, match="format='voc' or format='yolo'"):
        folder.add('a.jpg').read()


def test_an_empty_folder_is_explained(folder):
    (folder.root / 'labels').mkdir()
    with pytest.raises(UserInputError, match='neither XML files, nor YOLO'):
        folder.add('a.jpg').read()


def test_what_was_changed_is_logged_once(folder, notes):
    folder.write('data.yaml', 'names: [cat]')
    folder.write('labels/a.txt', '0 0.5 0.5 1.01 1')
    folder.add('a.jpg').read(notes=None)
    assert notes == ['1 boxes reach beyond the image and are clipped to it (first: a).']


def test_json_of_a_list_is_explained(folder):
    folder.write('labels', [{'image': 'a'}])
    with pytest.raises(UserInputError, match=r'expected \{image id'):
        folder.read()


def test_only_polygons_are_skipped(folder):
    """An image may have the name of the key of polygons."""
    folder.add('segmentation.jpg', 'b.jpg')
    path = folder.write('labels', json.dumps({'segmentation': [0, 1], 'b': ['cat']}))
    assert path.read_text().startswith('{"segmentation": [0')
    assert folder.tags() == {'segmentation': ['cat', 'dog'], 'b': ['cat']}
