import numpy as np
import pytest
from PIL import Image

from mmwsss.evaluation import class_proportions, proportions_of_folder
from mmwsss.structures import UserInputError


def test_a_proportion_is_the_share_of_all_pixels_also_of_ignored_ones():
    label_map = np.array([[0, 1, 1, 255], [2, 1, 0, 255]], dtype=np.uint8)
    assert class_proportions(label_map, 3).tolist() == [3 / 8, 1 / 8, 0]


def test_a_class_that_fills_the_image_has_the_proportion_one():
    assert class_proportions(np.full((5, 7), 2, dtype=np.uint8), 2).tolist() == [0, 1]


@pytest.mark.parametrize('value', [0, 255])
def test_an_image_without_class_has_no_proportion(value):
    label_map = np.full((5, 7), value, dtype=np.uint8)
    proportions = class_proportions(label_map, 20)
    assert proportions.dtype == np.float64
    assert proportions.tolist() == [0] * 20


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'sub').mkdir()
    Image.fromarray(np.uint8([[0, 1], [1, 1]])).convert('P').save(tmp_path / 'a.png')
    Image.fromarray(np.uint8([[2, 255]])).save(tmp_path / 'sub/b.png')
    return tmp_path


def test_images_of_a_folder_come_in_the_order_asked_for(folder):
    values = proportions_of_folder(folder, ['sub/b', 'a'], 2)
    assert values.tolist() == [[0, 0.5], [0.75, 0]]


def test_no_image_gives_no_row(folder):
    assert proportions_of_folder(folder, [], 2).shape == (0, 2)


def test_labels_of_more_classes_are_refused(folder):
    with pytest.raises(UserInputError, match=r'b\.png has the value 2; expected 0\.\.1 or 255'):
        proportions_of_folder(folder, ['a', 'sub/b'], 1)


def test_a_missing_label_is_named(folder):
    with pytest.raises(UserInputError, match=r"c\.png' does not exist"):
        proportions_of_folder(folder, ['a', 'c'], 2)
