import pytest

from mmwsss.structures import UserInputError

BOX = '<bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax>20</xmax><ymax>10</ymax></bndbox>'


def xml(*objects):
    inner = ''.join(f'<object>{one}</object>' for one in objects)
    return f'<annotation>{inner}</annotation>'


def test_boxes_as_written_and_files_beside_the_images(folder):
    folder.add('a.jpg', 'sub/b.jpg').write('images/a.xml', xml(f'<name>cat</name>{BOX}'))
    folder.write('images/sub/b.XML', xml(f'<name> dog </name><difficult>1</difficult>{BOX}'))
    box = (1.0, 2.5, 20.0, 10.0)
    labels = folder.read('images')
    assert labels.has_boxes
    assert labels.objects == {'a': [('cat', box, False)], 'sub/b': [('dog', box, True)]}


def test_a_file_without_objects_is_an_image_without_objects(folder):
    folder.add('a.jpg').write('labels/a.xml', xml())
    assert folder.boxes() == {'a': []}


def test_names_without_boxes_are_tags(folder):
    folder.add('a.jpg').write('labels/a.xml', xml('<name>cat</name>', '<name>dog</name>'))
    labels = folder.read()
    assert not labels.has_boxes
    assert [one.name for one in labels.objects['a']] == ['cat', 'dog']


def test_a_box_that_is_missing_is_explained(folder):
    folder.add('a.jpg', 'b.jpg').write('labels/a.xml', xml('<name>cat</name>'))
    folder.write('labels/b.xml', xml(f'<name>cat</name>{BOX}'))
    with pytest.raises(UserInputError, match=r'a\.xml: an object has no <bndbox>'):
        folder.read()


def test_a_folder_without_xml_is_explained(folder):
    folder.add('a.jpg').write('labels/a.txt', 'x')
    with pytest.raises(UserInputError, match='holds no XML'):
        folder.read(format='voc')
