import pytest
from PIL import Image

from mmwsss.datasets.weak_labels import Notes
from mmwsss.structures import UserInputError


@pytest.fixture
def photos(folder):
    """Images a and b of 20 x 10 pixels, classes cat and dog."""
    folder.write('data.yaml', 'names: [cat, dog]\nnc: 2\n')
    return folder.add('a.jpg', 'b.jpg')


def approx(*box):
    return pytest.approx(box)


@pytest.mark.parametrize(
    'line',
    [
        '1 0.5 0.4 0.5 0.6',
        '1.0 0.5 0.4 0.5 0.6 0.87',
        '1 .25 .1 .75 .1 .75 .7 .25 .7',
        '1 0.25 0.3 0.5 0.1 0.75 0.7',
        '1 0.25 0.3 0.5 0.1 0.75 0.3 0.6 0.7 0.4 0.6',
        '\t1  0.5 0.4 0.5 0.6  ',
    ],
    ids=['box', 'confidence', 'oriented', 'triangle', 'polygon', 'blanks'],
)
def test_every_form_gives_the_upright_box_in_pixels(photos, line):
    photos.write('labels/a.txt', line)
    assert photos.boxes() == {'a': [('dog', approx(5, 1, 15, 7))]}


def test_crlf_and_a_byte_order_mark(photos):
    photos.write('labels/a.txt', b'\xef\xbb\xbf0 0.5 0.5 1 1\r\n\r\n1 0.5 0.5 1 1\r\n')
    assert [one.name for one in photos.read().objects['a']] == ['cat', 'dog']


def test_an_empty_file_is_an_image_without_objects_and_no_file_is_no_label(photos):
    photos.add('c.jpg').write('labels/a.txt', '')
    photos.write('labels/b.txt', '0 0.5 0.5 1 1')
    assert photos.boxes() == {'a': [], 'b': [('cat', approx(0, 0, 20, 10))]}


def test_boxes_beyond_the_image_are_clipped_and_counted(photos, notes):
    photos.write('labels/a.txt', '0 0.0 1.02 0.5 0.5\n0 0.5 0.5 1.0000001 1\n')
    counted = Notes()
    assert photos.boxes(notes=counted) == {
        'a': [('cat', approx(0, 7.7, 5, 10)), ('cat', approx(0, 0, 20, 10))]
    }
    counted.log()
    assert notes == ['1 boxes reach beyond the image and are clipped to it (first: a).']


def test_a_rotated_photograph_has_the_size_of_the_upright_image(photos):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (20, 10)).save(photos.files['a'], exif=exif)
    photos.write('labels/a.txt', '0 0.5 0.5 1 1')
    assert photos.boxes() == {'a': [('cat', approx(0, 0, 10, 20))]}


def test_labels_mirror_the_folders_of_the_images(photos):
    photos.add('train/c.jpg', 'val/c.jpg').write('labels/train/c.txt', '0 0.5 0.5 1 1')
    photos.write('labels/val/c.txt', '1 0.5 0.5 1 1')
    assert photos.tags() == {'train/c': ['cat'], 'val/c': ['dog']}


@pytest.mark.parametrize(
    ('place', 'text'),
    [
        ('labels/data.yaml', 'names: [dog, cat]'),
        ('labels/data.yml', 'names:\n  0: dog\n  1: cat\n'),
        ('labels/classes.txt', '\ufeffdog\r\ncat\r\n'),
    ],
)
def test_the_nearest_names_count(photos, place, text):
    photos.write('labels/a.txt', '0 0.5 0.5 1 1')
    photos.write(place, text)
    assert photos.tags() == {'a': ['dog']}


def test_equal_names_are_one_class(photos):
    photos.write('data.yaml', 'names: [cat, dog, cat]')
    photos.write('labels/a.txt', '2 0.5 0.5 1 1\n0 0.5 0.5 1 1\n')
    assert photos.tags() == {'a': ['cat', 'cat']}


def test_no_names_are_explained(folder):
    folder.add('a.jpg').write('labels/a.txt', '0 0.5 0.5 1 1')
    with pytest.raises(UserInputError, match=r'no class names\. Write `names'):
        folder.read()


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('2 0.5 0.5 1 1', r"line 2: the class '2' is not one of 0\.\.1\. Indices start at 0"),
        ('-1 0.5 0.5 1 1', "the class '-1'"),
        ('cat 0.5 0.5 1 1', "the class 'cat'"),
        ('0.5 0.5 0.5 1 1', r"the class '0\.5'"),
        ('0 160 120 64 48', 'relative to the image size.*Divide x'),
        ('0 nan 0.5 1 1', 'relative to the image size'),
        ('0 0.5 0.5 1 x', 'line 2: could not convert'),
        ('0 0.5 0.5', 'line 2: 3 values; expected'),
        ('0 0.5 0.5 1 1 0.5 0.5 0.5', 'line 2: 8 values; expected'),
    ],
)
def test_a_line_of_another_form_is_explained(photos, line, message):
    photos.write('labels/a.txt', f'0 0.5 0.5 1 1\n{line}\n')
    with pytest.raises(UserInputError, match=message):
        photos.read()


@pytest.mark.parametrize(
    'text',
    ['names: {1: cat, 2: dog}', 'names: {0: cat, 2: dog}', 'names: [yes, no]', 'nc: 2', '- cat'],
)
def test_names_of_another_form_are_explained(photos, text):
    photos.write('data.yaml', text)
    photos.write('labels/a.txt', '0 0.5 0.5 1 1')
    with pytest.raises(UserInputError, match=r'data\.yaml: expected `names`'):
        photos.read()


def test_names_given_twice_for_an_index_are_refused(photos):
    photos.write('data.yaml', 'names: {0: cat, 1: bird, 1: dog}')
    photos.write('labels/a.txt', '0 0.5 0.5 1 1')
    with pytest.raises(UserInputError, match=r'data\.yaml is not valid YAML: the key 1 occurs'):
        photos.read()


def test_yaml_that_is_code_or_damaged_is_refused(photos):
    photos.write('labels/a.txt', '0 0.5 0.5 1 1')
    for text in ('names: !!python/object/apply:os.system [ls]', 'names: ['):
        photos.write('data.yaml', text)
        with pytest.raises(UserInputError, match='is not valid YAML'):
            photos.read()


def test_keypoints_are_refused(photos):
    photos.write('data.yaml', 'names: [cat]\nkpt_shape: [17, 3]\n')
    photos.write('labels/a.txt', '0 0.5 0.5 1 1 0.5 0.5')
    with pytest.raises(UserInputError, match='keypoints'):
        photos.read()


def test_a_folder_without_txt_is_explained(folder):
    folder.add('a.jpg').write('labels/classes.txt', 'cat')
    with pytest.raises(UserInputError, match='holds no txt file'):
        folder.read(format='yolo')
