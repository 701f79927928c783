import json

import pytest

from mmwsss.datasets.annotations import check_image_id, read_image_ids, read_tags, read_voc_xml
from mmwsss.structures import UserInputError


def test_objects_keep_file_order_and_exact_coordinates(voc):
    voc.add('a', ('dog', (2, 3, 7.5, 8)), ('person', (1, 1, 4, 5), True))
    annotation = read_voc_xml(voc.root / 'Annotations/a.xml')
    assert annotation.objects == [
        ('dog', (2.0, 3.0, 7.5, 8.0), False),
        ('person', (1.0, 1.0, 4.0, 5.0), True),  # its head is a part, not an object
    ]
    assert annotation.shape == (8, 10)


def test_a_missing_xml_file_is_none(tmp_path):
    assert read_voc_xml(tmp_path / 'no.xml') is None


def test_an_unknown_size_is_none(tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text('<annotation><size><width>0</width><height>0</height></size></annotation>')
    assert read_voc_xml(path) == ([], None)


@pytest.mark.parametrize(
    'text',
    [
        '<annotation><object>',
        '',
        'no xml at all',
        '<annotation><object></object></annotation>',
        '<annotation><object><name>dog</name><bndbox><xmin>1</xmin></bndbox></object></annotation>',
        '<annotation><object><name>dog</name><bndbox><xmin>one</xmin><ymin>1</ymin><xmax>2</xmax>'
        '<ymax>nan</ymax></bndbox></object></annotation>',
    ],
)
def test_malformed_xml_is_an_error_that_names_the_file(tmp_path, text):
    path = tmp_path / 'broken.xml'
    path.write_text(text)
    with pytest.raises(UserInputError, match=r'broken\.xml'):
        read_voc_xml(path)


def test_ids_are_read_without_blank_lines(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('2007_000032\n\n  folder/b \n')
    assert read_image_ids(path) == ['2007_000032', 'folder/b']


@pytest.mark.parametrize(
    'line',
    [
        '2007_000032',
        '/JPEGImages/2007_000032.jpg /SegmentationClassAug/2007_000032.png',
        'JPEGImages/2007_000032.jpg\tSegmentationClassAug/2007_000032.png',
        'SBD/dataset/img/2007_000032.jpg  SBD/dataset/cls/2007_000032.png',
        '2007_000032 0 14',
    ],
)
def test_the_forms_of_published_lists_are_read(tmp_path, line):
    path = tmp_path / 'list.txt'
    path.write_text(f'{line}\n2008_000001')  # without a newline at the end
    assert read_image_ids(path) == ['2007_000032', '2008_000001']


@pytest.mark.parametrize('line', ['my cat', 'cat 3b', 'a.jpg b.txt', 'one.png two.png three.png'])
def test_other_lines_with_blanks_are_ids(tmp_path, line):
    path = tmp_path / 'list.txt'
    path.write_text(f'{line}\n')
    assert read_image_ids(path) == [line]


@pytest.mark.parametrize('img_id', ['../../x', '/etc/passwd', 'a/../../b', 'a\\b', '', 'a\x00b'])
def test_an_id_never_leaves_the_data_root(img_id):
    with pytest.raises(UserInputError, match=r'list\.txt'):
        check_image_id(img_id, 'list.txt')


def test_two_dots_within_a_name_are_harmless():
    assert check_image_id('a..b/c.d', 'list.txt') == 'a..b/c.d'


@pytest.mark.parametrize('content', [None, b'', b'\n\n', b'\xff\xfe\x00'])
def test_a_missing_empty_or_binary_list_is_an_error(tmp_path, content):
    path = tmp_path / 'list.txt'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserInputError, match=r'list\.txt'):
        read_image_ids(path)


@pytest.mark.parametrize(
    'content',
    ['{"a": ', '[]', '{}', '{"a": "dog"}', '{"a": [1.5]}', '{"a": [true]}', '{"../a": [1]}'],
)
def test_a_label_file_of_another_form_is_an_error(tmp_path, content):
    path = tmp_path / 'tags.json'
    path.write_text(content)
    with pytest.raises(UserInputError, match=r'tags\.json'):
        read_tags(path)


def test_tags_are_read_as_written(tmp_path):
    path = tmp_path / 'tags.json'
    path.write_text(json.dumps({'a': ['dog', 3], 'b': []}))
    assert read_tags(path) == {'a': ['dog', 3], 'b': []}


def test_an_xml_file_cannot_blow_up_the_memory(tmp_path):
    levels = [f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10)]
    text = f'<!DOCTYPE a [<!ENTITY e0 "{"x" * 100}">{"".join(levels)}]><a>&e9;</a>'
    (tmp_path / 'bomb.xml').write_text(text)
    with pytest.raises(UserInputError, match=r'bomb\.xml'):
        read_voc_xml(tmp_path / 'bomb.xml')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<html><body>404</body></html>', 'got <html>'),
        ('<Annotation><object><name>dog</name></object></Annotation>', 'got <Annotation>'),
        ('<annotation><objects><object/></objects></annotation>', 'not directly below'),
        (
            '<annotation><object><name>a</name><name>b</name></object></annotation>',
            'an <object> has 2 <name>',
        ),
    ],
)
def test_an_xml_file_of_another_form_is_no_image_without_objects(tmp_path, text, message):
    path = tmp_path / 'page.xml'
    path.write_text(text)
    with pytest.raises(UserInputError, match=rf'page\.xml: .*{message}'):
        read_voc_xml(path)


def test_a_tag_file_with_an_image_twice_is_refused_and_not_half_read(tmp_path):
    path = tmp_path / 'tags.json'
    path.write_text('{"a": ["dog"], "b": ["cat"], "a": ["bird"]}')
    with pytest.raises(UserInputError, match=r"tags\.json' is not valid JSON: the key 'a'"):
        read_tags(path)


def test_a_list_with_an_image_twice_is_refused(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('a\nb\na\n')
    with pytest.raises(UserInputError, match=r"list\.txt: the image 'a' is listed 2 times"):
        read_image_ids(path)


@pytest.mark.parametrize('img_id', ['a//b', './a', 'a/', 'x' * 100_000])
def test_an_id_names_its_file_in_one_way_and_the_message_stays_short(img_id):
    with pytest.raises(UserInputError, match=r'list\.txt') as caught:
        check_image_id(img_id, 'list.txt')
    assert len(str(caught.value)) < 400


def test_a_list_may_come_from_another_system(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xef\xbb\xbfa\r\nb\r\n')
    assert read_image_ids(path) == ['a', 'b']
