import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmwsss.datasets import CustomWeakDataset
from mmwsss.datasets.annotations import read_image_ids
from mmwsss.datasets.palette import class_colors
from mmwsss.structures import UserInputError

pytest.importorskip('pycocotools')

COCO14 = Path(__file__).parents[2] / 'configs/_base_/data/coco14.py'
DATA = Config.fromfile(COCO14).data
IDS = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]


@pytest.fixture
def tool(load_tool):
    return load_tool('dataset_converters/coco_masks.py')


def square(x1, y1, x2, y2):
    """An object that fills a box of whole pixels."""
    width, height = x2 - x1, y2 - y1
    return {
        'segmentation': [[x1, y1, x2, y1, x2, y2, x1, y2]],
        'bbox': [x1, y1, width, height],
        'area': width * height,
    }


class CocoTree:
    """Two splits of images of 6 x 4 pixels, 80 classes with gaps in their ids."""

    def __init__(self, root):
        self.root = root
        self.images = {'train2014': [], 'val2014': []}
        self.annotations = {'train2014': [], 'val2014': []}

    def add(self, split, number, *objects):
        name = f'COCO_{split}_{number:012d}.jpg'
        entry = {'id': number, 'file_name': name, 'width': 6, 'height': 4}
        self.images[split].append(entry)
        for one in objects:
            count = len(self.annotations[split]) + 1
            entry = {'id': count, 'image_id': number, 'iscrowd': 0, **one}
            self.annotations[split].append(entry)
        return self

    def write(self):
        for split, images in self.images.items():
            path = self.root / 'annotations' / f'instances_{split}.json'
            path.parent.mkdir(exist_ok=True)
            # Not in the order of the ids.
            names = zip(IDS, DATA.classes, strict=True)
            categories = [{'id': number, 'name': name} for number, name in names][::-1]
            content = {'annotations': self.annotations[split]}
            path.write_text(json.dumps({'images': images, **content, 'categories': categories}))
        return self

    def mask(self, split, number):
        path = self.root / 'masks' / split / f'COCO_{split}_{number:012d}.png'
        return np.array(Image.open(path)).tolist()


@pytest.fixture
def tree(tmp_path):
    """Images with overlapping objects, with a crowd, and without objects."""
    rest = {'counts': [12, 12], 'size': [4, 6]}  # by columns: the right half
    overlapping = (
        {'category_id': 90, **square(0, 0, 2, 2)},
        {'category_id': 1, **square(0, 0, 6, 4)},
        {'category_id': 13, **square(1, 1, 3, 3)},
    )
    crowd = (
        {'category_id': 1, 'iscrowd': 1, 'segmentation': rest, 'area': 1},
        {'category_id': 2, **square(0, 0, 6, 2)},
    )
    tree = CocoTree(tmp_path).add('train2014', 9, *overlapping).add('train2014', 4, *crowd)
    tree.add('train2014', 7).add('val2014', 42, {'category_id': 90, **square(5, 0, 6, 4)})
    return tree.write()


def run(tool, tree, *options):
    tool.main([str(tree.root), '--workers', '0', *options])


def test_smaller_objects_are_on_top_and_values_have_no_gaps(tool, tree):
    run(tool, tree)
    # The 90th category is the 80th class, the 13th is the 12th; of equal areas the first is on top.
    assert tree.mask('train2014', 9) == [
        [80, 80, 1, 1, 1, 1],
        [80, 80, 12, 1, 1, 1],
        [1, 12, 12, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
    ]
    assert tree.mask('val2014', 42) == [[0, 0, 0, 0, 0, 80]] * 4


@pytest.mark.parametrize(('crowd', 'value'), [('class', 1), ('ignore', 255), ('background', 0)])
def test_a_crowd_is_below_all_objects(tool, tree, crowd, value):
    run(tool, tree, '--crowd', crowd)
    below = [0, 0, 0, value, value, value]
    assert tree.mask('train2014', 4) == [[2] * 6, [2] * 6, below, below]


def test_lists_and_masks_leave_out_images_without_annotation(tool, tree):
    run(tool, tree)
    train = read_image_ids(tree.root / 'train2014.txt')
    assert train == [f'train2014/COCO_train2014_{number:012d}' for number in (4, 9)]
    assert len(read_image_ids(tree.root / 'val2014.txt')) == 1
    assert len(list((tree.root / 'masks/train2014').glob('*.png'))) == 2


def test_images_without_annotation_may_be_background(tool, tree):
    run(tool, tree, '--keep-empty')
    assert len(read_image_ids(tree.root / 'train2014.txt')) == 3
    assert tree.mask('train2014', 7) == [[0] * 6] * 4


def test_masks_that_are_there_are_kept(tool, tree, capsys):
    run(tool, tree)
    path = tree.root / 'masks/train2014/COCO_train2014_000000000004.png'
    assert Image.open(path).mode == 'P'
    assert Image.open(path).getpalette()[3:6] == class_colors(2)[1]
    path.unlink()
    capsys.readouterr()
    run(tool, tree)
    out = capsys.readouterr().out
    assert 'masks written: 1, already there: 1, classes: 80' in out
    assert 'masks written: 0, already there: 1' in out


def test_masks_of_another_option_are_not_mixed(tool, tree):
    run(tool, tree)
    with pytest.raises(UserInputError, match='another --crowd'):
        run(tool, tree, '--crowd', 'ignore')


def test_masks_of_a_corrected_file_are_not_mixed(tool, tree):
    run(tool, tree)
    tree.annotations['train2014'][0]['category_id'] = 2
    with pytest.raises(UserInputError, match='masks of other annotations'):
        run(tool, tree.write())


@pytest.mark.slow
def test_processes_write_the_same_masks(tool, tree):
    tool.main([str(tree.root), '--workers', '2'])
    assert tree.mask('val2014', 42) == [[0, 0, 0, 0, 0, 80]] * 4


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ({'segmentation': {'counts': [3, 4], 'size': [4, 6]}}, 'run lengths do not fill'),
        ({'segmentation': {'counts': [20, 4], 'size': [6, 4]}}, r'its size is \[6, 4\]'),
        ({'segmentation': {'counts': 'zzzz', 'size': [4, 6]}}, 'annotation 1 of .* cannot be'),
        ({'segmentation': {'size': [4, 6]}}, 'cannot be painted'),
        ({'area': 'large'}, "`area` is 'large'"),
        ({'id': 'x'}, "the id 'x' is not an integer"),
        ({'image_id': 8}, "`image_id` '8' is not in `images`"),
    ],
)
def test_a_mistake_is_explained(tool, tree, entry, message):
    tree.annotations['train2014'][0].update(entry)
    with pytest.raises(UserInputError, match=message):
        run(tool, tree.write())


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ({'height': 0}, '`height`, `width` are 0, 6'),
        ({'width': 1 << 20, 'height': 1 << 20}, 'too large for an image'),
        ({'file_name': '../../x.jpg'}, 'is not an image id'),
    ],
)
def test_an_image_that_cannot_be_is_explained(tool, tree, entry, message):
    tree.images['train2014'][0].update(entry)
    with pytest.raises(UserInputError, match=message):
        run(tool, tree.write())


def test_polygons_that_are_too_small_and_none_are_nothing(tool, tree):
    tree.annotations['val2014'][0]['segmentation'] = [[1, 1, 4, 4]]
    run(tool, tree.write())
    assert tree.mask('val2014', 42) == [[0] * 6] * 4


def test_objects_without_an_outline_are_counted(tool, tree, capsys):
    del tree.annotations['train2014'][0]['segmentation']
    tree.annotations['train2014'][1]['segmentation'] = [0, 0, 6, 0, 6, 4]  # not a list of polygons
    run(tool, tree.write())
    out = capsys.readouterr().out
    assert 'train2014.json: annotations without a `segmentation`, not painted: 2' in out
    assert out.count('not painted') == 1


def test_boxes_alone_are_refused_and_not_painted_as_background(tool, tree):
    del tree.annotations['val2014'][0]['segmentation']
    with pytest.raises(UserInputError, match=r'val2014\.json: no annotation has a `segmentation`'):
        run(tool, tree.write())
    assert not (tree.root / 'masks/val2014').exists()


def test_a_missing_package_is_one_line(tool, tree, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'pycocotools', None)
    with pytest.raises(UserInputError, match='pip install "mmwsss'):
        run(tool, tree)


def test_a_missing_split_is_explained(tool, tree):
    with pytest.raises(UserInputError, match=r'instances_train2017\.json.* does not exist'):
        run(tool, tree, '--splits', 'train2017')


def test_the_data_file_of_coco_reads_what_the_tool_writes(tool, tree):
    """Ids 1, 2, 13 and 90 are person, bicycle, stop sign and toothbrush: classes 0, 1, 11, 79."""
    run(tool, tree)
    for split, images in tree.images.items():
        (tree.root / 'images' / split).mkdir(parents=True)
        for image in images:
            Image.new('RGB', (6, 4)).save(tree.root / 'images' / split / image['file_name'])
    data = {**DATA, 'root': str(tree.root)}
    train = CustomWeakDataset(data, supervision='tag', true_masks=True)
    assert [(one['img_id'][-2:], one['gt_label']) for one in train.load_data_list()] == [
        ('04', [0, 1]),
        ('09', [0, 11, 79]),
    ]
    boxes = CustomWeakDataset(data, supervision='box').load_data_list()[0]['instances']
    assert boxes == [{'bbox': [0, 0, 6, 2], 'bbox_label': 1}]  # a crowd has no box
    (val,) = CustomWeakDataset(data, 'val', supervision=None, true_masks=True).load_data_list()
    assert val['num_classes'] == 80
    assert val['img_id'] == 'val2014/COCO_val2014_000000000042'
    assert val['seg_map_path'] == str(tree.root / 'masks' / f'{val["img_id"]}.png')
