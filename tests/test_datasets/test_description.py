import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from mmwsss.datasets import description as module
from mmwsss.datasets.description import DataDescription
from mmwsss.structures import UserInputError

NFC = 'sub/Käfer'
NFD = unicodedata.normalize('NFD', NFC)
FILES = ('b.JPG', 'a photo.png', f'{NFD}.jpeg', 'sub/deep/c.TIFF', '10.webp')
IDS = ('10', 'a photo', 'b', NFC, 'sub/deep/c')


@pytest.fixture
def notes(monkeypatch):
    logged = []
    monkeypatch.setattr(module, 'print_log', lambda message, *_: logged.append(message))
    return logged


class Folder:
    """Images with many kinds of names, all with tags; no test opens them."""

    def __init__(self, root):
        self.root = root
        for name in FILES:
            self.touch(f'images/{name}')
        self.tag({img_id: ['cat'] for img_id in IDS} | {'b': ['dog', 'cat']})

    def touch(self, name):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def write(self, name, content):
        (self.root / name).write_bytes(content.encode() if isinstance(content, str) else content)

    def tag(self, tags):
        self.write('tags.json', json.dumps(tags))

    def describe(self, **data):
        data = {'root': str(self.root), 'classes': ('cat', 'dog'), 'labels': 'tags.json', **data}
        return DataDescription.from_dict(data)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_ids_are_paths_without_suffix_and_with_composed_umlauts(folder):
    for name in ('.hidden.jpg', '.cache/x.jpg', 'readme.txt'):
        folder.touch(f'images/{name}')
    files = folder.describe().image_files
    assert tuple(sorted(files)) == tuple(sorted(IDS))
    assert files[NFC] == str(folder.root / f'images/{NFD}.jpeg')
    assert files['b'] == str(folder.root / 'images/b.JPG')


@pytest.mark.parametrize(
    'second', ['b.png', 'b.jpg', unicodedata.normalize('NFC', 'sub/Käfer.jpeg')]
)
def test_two_images_of_one_id_are_refused(folder, second):
    folder.touch(f'images/{second}')
    with pytest.raises(UserInputError, match=r'same name without suffix.*Rename or remove'):
        folder.describe().image_files  # noqa: B018


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        ({'root': '/nowhere'}, r"`root` of the data, '/nowhere', is not a folder"),
        ({'images': 'pictures'}, r"`images` of the data: '.*/pictures' is not a folder"),
        ({'images': 'empty'}, r"`images` of the data: '.*/empty' holds no image"),
    ],
)
def test_a_folder_without_images_is_named_with_its_key(folder, data, message):
    (folder.root / 'empty').mkdir()
    with pytest.raises(UserInputError, match=message):
        folder.describe(**data).image_files  # noqa: B018


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (
            {'clases': ('cat',)},
            'unknown key `clases`; the keys are root, .* Did you mean `classes`',
        ),
        ({'labels': None}, '`data` lacks `labels`'),
        ({'root': 3}, r'`data\.root` to be a path, got 3'),
        ({'val': ''}, r"`data\.val` to be a path, got ''"),
        ({'format': 'xml'}, r"`data\.format` to be one of .*'coco'.*got 'xml'"),
        ({'classes': 'cat'}, r"`data\.classes` to be names.*got 'cat'"),
        ({'classes': ()}, r'`data\.classes` to be names'),
        ({'classes': ('cat', 1)}, r'`data\.classes` to be names'),
        ({'classes': ('cat', 'cat')}, r'`data\.classes` has a name twice'),
        ({'classes': ('background', 'cat')}, 'is added automatically'),
        ({'classes': {'cat': 'background'}}, 'is added automatically'),
        ({'classes': [f'c{i}' for i in range(255)]}, '255 foreground classes'),
        ({'masks': 3}, r'`data\.masks` to be a folder'),
        ({'masks': {'path': 'masks', 'class': ()}}, '`data.masks` has the unknown key `class`'),
        ({'masks': {'path': 'masks', 'classes': ('cat',)}}, "lack 'dog'"),
        ({'masks': {'path': 'masks', 'classes': 'dog'}}, r'`data\.masks\.classes` to be names'),
        ({'masks': {'path': 'masks', 'others': 'ignore'}}, '`others` without `classes`'),
        ({'masks': {'path': '', 'classes': ('cat', 'dog'), 'others': ['x']}}, r"got \['x'\]"),
    ],
)
def test_a_mistake_in_the_description_names_its_key(folder, data, message):
    with pytest.raises(UserInputError, match=message):
        folder.describe(**data)


def test_the_background_is_added_and_colours_are_those_of_voc(folder):
    description = folder.describe()
    assert description.classes == ('cat', 'dog')
    assert description.metainfo == {
        'classes': ('background', 'cat', 'dog'),
        'palette': [[0, 0, 0], [128, 0, 0], [0, 128, 0]],
    }


def test_classes_are_renamed_in_labels_and_masks(folder, notes):
    description = folder.describe(
        classes={'dog': 'doggy', 'cat': 'kitty'},
        masks={'path': 'masks', 'classes': ('cat', 'doggy', 'dog'), 'others': 'ignore'},
    )
    assert description.classes == ('doggy', 'kitty')
    assert [entry.name for entry in description.labels().objects['b']] == ['doggy', 'kitty']
    # 'doggy' in the masks is not the class of dogs that has this name here.
    assert description.mask_values == {0: 0, 1: 2, 2: 255, 3: 1, 255: 255}


def test_classes_may_be_joined(folder):
    description = folder.describe(classes={'cat': 'pet', 'dog': 'pet'})
    assert description.classes == ('pet',)
    assert {entry.name for entry in description.labels().objects['b']} == {'pet'}


def test_labels_of_other_classes_are_left_out_and_counted(folder, notes):
    folder.tag({'b': ['horse', 'cat', 'dog'], '10': ['horse', 'sheep']})
    labels = folder.describe().labels()
    assert [entry.name for entry in labels.objects['b']] == ['cat', 'dog']
    assert labels.objects['10'] == []
    (note,) = notes
    assert note.endswith('3 labels of other classes are left out: horse (2), sheep (1).')


@pytest.mark.parametrize(
    ('classes', 'hint'),
    [(('cat', 'dgo'), "dgo. Did you mean 'dog'?"), (('cat', 'Dog'), "Dog. Did you mean 'dog'?")],
)
def test_a_misspelt_class_is_refused(folder, classes, hint):
    folder.tag({'b': ['cat', 'dog']})
    with pytest.raises(UserInputError, match='has no label of the class') as error:
        folder.describe(classes=classes).labels()
    assert hint in str(error.value)


def test_a_class_without_any_label_is_told(folder, notes):
    folder.tag({'b': ['cat']})
    folder.describe(classes=('cat', 'horse')).labels()
    (note,) = notes
    assert note.endswith('no label is of the class horse.')


def test_labels_of_other_classes_alone_are_refused(folder):
    folder.tag({'b': ['Cat']})
    with pytest.raises(UserInputError, match='none of the `classes` cat, dog; it has Cat'):
        folder.describe().labels()


def test_labels_without_images_are_refused_with_the_first_five_names(folder):
    folder.tag({'b': ['cat'], **{f'x{i}': ['cat'] for i in range(7)}})
    with pytest.raises(UserInputError, match=r"7 of its 8 labels: 'x0'.*'x4', \.\.\.\."):
        folder.describe().labels()


def test_decomposed_names_in_lists_labels_and_class_names_mean_the_same(folder, notes):
    folder.tag({NFD: [unicodedata.normalize('NFD', 'Kätzchen')]})
    folder.write('train.txt', f'{NFD}\n')
    description = folder.describe(classes=('Kätzchen',), train='train.txt')
    assert description.split('train') == list(description.labels().objects) == [NFC]
    assert not notes


@pytest.mark.parametrize(
    'text',
    [
        'b\nsub/deep/c\na photo\n',
        'b.JPG\nsub/deep/c.TIFF\na photo.png\n',
        'images/b\nimages/sub/deep/c.TIFF\nimages/a photo\n',
        'b\nc\na photo',
        '\ufeffb\r\nsub/deep/c\r\n\r\na photo\r\n',
        '/images/b.jpg /masks/b.png\n/images/sub/deep/c.jpg /masks/sub/deep/c.png\na photo\n',
        'b 0 1\nsub/deep/c 1\na photo\n',
    ],
    ids=['ids', 'suffixes', 'folders', 'file names', 'CRLF and BOM', 'two columns', 'tags'],
)
def test_lists_have_many_forms_and_keep_their_order(folder, text):
    folder.write('train.txt', text)
    assert folder.describe(train='train.txt').split('train') == ['b', 'sub/deep/c', 'a photo']


def test_a_name_that_looks_like_columns_is_a_name_if_there_is_such_an_image(folder):
    for name in ('photo 1.jpg', 'photo 2.jpg', 'photo.jpg'):
        folder.touch(f'images/{name}')
    folder.write('train.txt', 'photo 1\nphoto 2.jpg\nphoto\n')
    found = folder.describe(train='train.txt').split('train')
    assert found == ['photo 1', 'photo 2', 'photo']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('b\n10\nb\n', r"'b' is listed 2 times"),
        ('b\nimages/b.JPG\n', r"'b' is listed 2 times"),
        ('b\n../b\n', r"'\.\./b' is not an image id"),
        ('b\nx1\nx2\n', r'names 2 images that are not in .*: x1, x2\. Correct'),
        ('\n', 'holds no image id'),
    ],
)
def test_a_wrong_list_is_refused(folder, text, message):
    folder.write('train.txt', text)
    with pytest.raises(UserInputError, match=rf'train\.txt.*{message}'):
        folder.describe(train='train.txt').split('train')


def test_an_id_of_two_folders_needs_its_folder(folder):
    folder.touch('images/other/c.jpg')
    folder.write('train.txt', 'c\n')
    with pytest.raises(UserInputError, match="'c' may be any of 2 images"):
        folder.describe(train='train.txt').split('train')


def test_without_a_list_all_labelled_images_that_are_not_held_out_are_trained_on(folder):
    folder.touch('images/unlabelled.jpg')
    folder.write('val.txt', 'b\nunlabelled\n')
    description = folder.describe(val='val.txt')
    assert description.split('val') == ['b', 'unlabelled']
    assert description.split('train') == ['10', 'a photo', NFC, 'sub/deep/c']


def test_images_without_a_label_are_counted_where_no_list_names_images(folder, notes):
    for name in ('x.jpg', 'unlabelled.jpg', 'held out.jpg'):
        folder.touch(f'images/{name}')
    folder.write('val.txt', 'held out\n')
    folder.describe(val='val.txt').split('train')
    assert notes == ['2 images without a label are left out (first: unlabelled).']


def test_training_images_in_both_lists_are_counted(folder, notes):
    folder.write('train.txt', 'b\n10\na photo\n')
    folder.write('val.txt', 'sub/deep/c\n10\na photo\n')
    description = folder.describe(train='train.txt', val='val.txt')
    assert description.split('train') == ['b', '10', 'a photo']
    (note,) = notes
    assert note.startswith('2 images of ') and note.endswith('val.txt (first: 10).')


def test_a_validation_list_that_leaves_nothing_to_train_on_is_refused(folder):
    folder.write('val.txt', '\n'.join(IDS))
    with pytest.raises(UserInputError, match=r'val\.txt lists all labelled images'):
        folder.describe(val='val.txt').split('train')


def test_classes_of_masks_may_spell_umlauts_in_the_other_way(folder):
    masks = {'path': 'masks', 'classes': ('cat', 'Ka\u0308fer ')}
    assert folder.describe(classes=('K\u00e4fer', 'cat'), masks=masks).mask_values == {
        **{0: 0, 1: 2, 2: 1},
        255: 255,
    }


def test_a_validation_without_a_list_is_refused(folder):
    with pytest.raises(UserInputError, match='no `val`'):
        folder.describe().split('val')


def test_masks_lie_as_the_images_do_and_validation_needs_all_of_them(folder):
    folder.write('val.txt', 'b\na photo\n')
    for name in (f'{NFD}.png', 'b.PNG', 'of no image.png'):
        folder.touch(f'masks/{name}')
    description = folder.describe(masks='masks', val='val.txt')
    assert description.true_mask(NFC) == str(folder.root / f'masks/{NFD}.png')
    assert description.true_mask('10') is None
    assert description.mask_values is None
    with pytest.raises(UserInputError, match=r'lacks the masks of 1 of 2 images.*: a photo\. Add'):
        description.split('val')
    folder.touch('masks/a photo.png')
    assert folder.describe(masks='masks', val='val.txt').split('val') == ['b', 'a photo']


def test_masks_of_none_of_the_images_are_refused(folder):
    folder.touch('masks/b_mask.png')
    with pytest.raises(UserInputError, match=r"`masks` of the data.*no mask.*'10' must"):
        folder.describe(masks='masks').true_mask('b')


def test_without_masks_there_is_none(folder):
    assert folder.describe().true_mask('b') is None


def test_the_smallest_description_says_all(tmp_path):
    (tmp_path / 'images').mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / 'images/x.bmp')
    (tmp_path / 'tags.csv').write_text('x.bmp,cat\n')
    data = dict(root=str(tmp_path), classes=['cat'], labels='tags.csv')
    assert DataDescription.from_dict(data).split('train') == ['x']
