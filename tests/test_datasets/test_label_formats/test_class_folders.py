import pytest

from mmwsss.structures import UserInputError


def test_the_image_folder_itself(folder):
    folder.add('cat/1.jpg', 'dog/1.jpg', 'dog/deep/2.png', 'beside.jpg')
    assert folder.tags('images') == {'cat/1': ['cat'], 'dog/1': ['dog'], 'dog/deep/2': ['dog']}


def test_copies_in_several_folders_are_several_tags(folder):
    folder.add('a.jpg', 'b.jpg')
    for name in ('cat/a.jpg', 'dog/a.jpg', 'dog/b.jpg', '.cache/a.jpg'):
        folder.write(f'labels/{name}', 'x')
    assert folder.tags() == {'a': ['cat', 'dog'], 'b': ['dog']}


def test_a_folder_without_an_image_is_refused(folder):
    folder.add('cat/1.jpg').write('images/thumbnails/1.txt', 'x')
    with pytest.raises(UserInputError, match='thumbnails holds no image'):
        folder.read('images')


def test_a_copy_of_no_image_is_refused(folder):
    folder.add('a.jpg').write('labels/cat/z.webp', 'x')
    with pytest.raises(UserInputError, match=r"no image for 1 of its 1 labels: 'z\.webp'"):
        folder.read()
