import unicodedata

import pytest

from mmwsss.datasets.label_formats.records import ImageNames
from mmwsss.structures import UserInputError

NAMES = ImageNames(
    {
        key: f'/data/{key}.jpg'
        for key in ('a', 'cat/1', 'dog/1', 'cat/deep/2', 'train2014/COCO_3', 'v1.2', 'b', 'c/b')
    }
)


@pytest.mark.parametrize(
    ('name', 'img_id'),
    [
        ('a', 'a'),
        ('a.jpg', 'a'),
        ('a.PNG', 'a'),
        ('./a.jpg', 'a'),
        ('/home/me/images/a.jpg', 'a'),
        ('C:\\images\\a.jpg', 'a'),
        ('cat/1.jpg', 'cat/1'),
        ('images/dog/1.jpg', 'dog/1'),
        ('COCO_3.jpg', 'train2014/COCO_3'),
        ('deep/2', 'cat/deep/2'),
        ('v1.2', 'v1.2'),
        ('v1.2.jpeg', 'v1.2'),
        ('b.jpg', 'b'),
        ('images/c/b.jpg', 'c/b'),
    ],
)
def test_a_name_means_the_image_whose_path_it_ends_with_or_that_ends_with_it(name, img_id):
    assert NAMES.find(name, 'labels') == img_id


@pytest.mark.parametrize('name', ['z', 'horse/1', 'train/COCO_3.jpg', 'v1', 'at/1', 'a/b/cat'])
def test_another_folder_or_name_is_another_image(name):
    assert NAMES.find(name, 'labels') is None


def test_a_name_of_two_images_is_refused():
    with pytest.raises(UserInputError, match=r"'1\.jpg' may be any of 2 images: 'cat/1', 'dog/1'"):
        NAMES.find('1.jpg', 'labels')


@pytest.mark.parametrize('name', ['../a.jpg', 'cat/../a', '', 'a//b', 'x\0y'])
def test_a_name_that_is_no_path_below_the_images_is_refused(name):
    with pytest.raises(UserInputError, match='is not an image id'):
        NAMES.find(name, 'labels')


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_an_umlaut_may_be_spelled_in_two_ways(form):
    on_disk = unicodedata.normalize('NFD' if form == 'NFC' else 'NFC', 'Kätzchen')
    names = ImageNames({on_disk: 'x.jpg'})
    assert names.find(unicodedata.normalize(form, 'Kätzchen') + '.jpg', 'labels') == on_disk


def test_two_labels_of_one_image_are_refused():
    with pytest.raises(UserInputError, match=r"'a', 'a\.jpg' are labels of the same image"):
        NAMES.match(['a', 'b', 'a.jpg'], 'labels')
