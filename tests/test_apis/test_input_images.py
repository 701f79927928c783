import numpy as np
import pytest
from PIL import Image

from mmwsss.apis.input_images import check_names, input_images, is_list, weak_labels
from mmwsss.structures import UserInputError

CLASSES = ('cat', 'dog', 'person')


@pytest.fixture
def photos(tmp_path):
    """Mixed suffixes, spaces, umlauts and folders; also a list, a hidden file and a text file."""
    for name in ('b.JPG', 'a 1.png', 'zoo/tür.webp', 'zoo/.hidden.png'):
        path = tmp_path / 'photos' / name
        path.parent.mkdir(exist_ok=True)
        Image.new('RGB', (4, 3)).save(path)
    (tmp_path / 'photos/notes.txt').write_text('no image')
    return tmp_path / 'photos'


def test_a_folder_gives_its_images_sorted_and_named_by_their_path(photos):
    images = input_images(str(photos))
    assert [image.img_id for image in images] == ['a 1', 'b', 'zoo/tür']
    assert images[2].read().shape == (3, 4, 3)
    assert is_list(str(photos)) and is_list([str(photos)])


def test_a_pattern_gives_the_files_that_fit_it(photos):
    assert [image.img_id for image in input_images(f'{photos}/**/*.*')] == ['a 1', 'b', 'tür']
    with pytest.raises(UserInputError, match=r'No image file matches the pattern'):
        input_images(f'{photos}/*.gif')


def test_arrays_are_bgr_and_named_by_their_number(photos):
    blue = np.zeros((2, 2, 3), dtype=np.uint8)
    blue[..., 0] = 255
    first, second = input_images([photos / 'b.JPG', blue])
    assert (first.img_id, second.img_id) == ('b', '00000001')
    assert second.read()[0, 0].tolist() == [0, 0, 255]
    assert not is_list(blue) and not is_list(photos / 'b.JPG')


@pytest.mark.parametrize(
    ('inputs', 'message'),
    [
        ('nothing.jpg', 'does not exist'),
        ([], 'the list is empty'),
        (3, 'Expected a path or an array'),
        (np.zeros((2, 2), dtype=np.uint8), r'uint8 BGR \(H, W, 3\), got uint8 \(2, 2\)'),
        (np.zeros((2, 2, 3)), 'got float64'),
    ],
)
def test_what_is_no_image_is_refused(inputs, message):
    with pytest.raises(UserInputError, match=message):
        input_images(inputs)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(UserInputError, match='has no image file'):
        input_images(str(tmp_path))


def test_images_whose_results_would_have_one_name_are_refused(photos):
    Image.new('RGB', (4, 3)).save(photos / 'zoo/b.png')
    with pytest.raises(UserInputError, match=r"names shared by several images: 1, .* 'b'"):
        check_names(input_images([photos / 'b.JPG', photos / 'zoo/b.png']))


def test_tags_are_names_or_indices_and_boxes_take_one_each(photos):
    images = input_images(str(photos))
    tags, boxes = [['dog', 0, 'dog'], [], ['person']], [None, None, [[0, 0, 2, 3]]]
    assert weak_labels(tags, boxes, images, CLASSES, many=True) == [
        {'gt_label': [0, 1]},
        {'gt_label': []},
        {'instances': [{'bbox': [0.0, 0.0, 2.0, 3.0], 'bbox_label': 2}]},
    ]


def test_tags_of_a_single_image_stand_for_themselves(photos):
    images = input_images(photos / 'b.JPG')
    assert weak_labels('dog', None, images, CLASSES, many=False) == [{'gt_label': [1]}]
    assert weak_labels(['dog', 'cat'], None, images, CLASSES, many=False) == [{'gt_label': [0, 1]}]
    assert weak_labels(None, None, images, CLASSES, many=False) == [None]


@pytest.mark.parametrize(
    ('tags', 'boxes', 'message'),
    [
        ([['horse']], None, "unknown class 'horse'"),
        ([['dog'], ['dog']], None, 'one entry per image, 1 in all, got 2'),
        (None, [[[0, 0, 1, 1]]], '`boxes` need `tags`'),
        ([['dog']], [[[0, 0, 1, 1], [0, 0, 2, 2]]], 'each of the 2 boxes, got 1'),
    ],
)
def test_labels_that_do_not_fit_are_refused(photos, tags, boxes, message):
    images = input_images([photos / 'b.JPG'])
    with pytest.raises(UserInputError, match=message):
        weak_labels(tags, boxes, images, CLASSES, many=True)
