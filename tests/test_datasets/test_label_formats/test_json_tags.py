import pytest

from mmwsss.structures import UserInputError


def test_names_and_indices_of_the_classes(folder):
    folder.add('a.jpg', 'b.jpg', 'c.jpg')
    folder.write('labels', {'a': ['dog', 0, 'dog'], 'b.jpg': [1], 'c': []})
    assert folder.tags() == {'a': ['dog', 'cat'], 'b': ['dog'], 'c': []}


def test_a_name_that_no_class_has_is_kept(folder):
    folder.add('a.jpg').write('labels', {'a': ['horse']})
    assert folder.tags() == {'a': ['horse']}


@pytest.mark.parametrize('index', [2, -1])
def test_an_index_beyond_the_classes_is_explained(folder, index):
    folder.add('a.jpg').write('labels', {'a': [index]})
    with pytest.raises(UserInputError, match=f'{index} is not the index of one of the 2 classes'):
        folder.read()


def test_crlf_and_a_byte_order_mark(folder):
    folder.add('a.jpg').write('labels', b'\xef\xbb\xbf{\r\n"a":\r\n["cat"]}\r\n')
    assert folder.tags() == {'a': ['cat']}


def test_two_entries_of_an_image_are_refused(folder):
    folder.add('a.jpg').write('labels', {'a': ['cat'], 'a.jpg': ['dog']})
    with pytest.raises(UserInputError, match='labels of the same image'):
        folder.read()
