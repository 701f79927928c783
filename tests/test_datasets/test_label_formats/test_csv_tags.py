import pytest

from mmwsss.structures import UserInputError


@pytest.fixture
def photos(folder):
    return folder.add('a.jpg', 'b.jpg', 'sub/c.png')


@pytest.mark.parametrize(
    'text',
    [
        'a.jpg,cat dog\nb.jpg,dog\nc.png,\n',
        'file,tags\na,cat dog\nb,dog\nsub/c,\n',
        '"file","tags"\n"a.jpg","cat,dog"\n"b.jpg","dog"\n"sub/c.png",""\n',
        'file;tags\na.jpg;cat,dog\nb.jpg;dog\nc.png;\n',
        'file\ttags\na.jpg\tcat;dog\nb.jpg\tdog\nc.png\t\n',
        'a.jpg,cat|dog\n\nb.jpg,dog\nc.png,\n\n',
        'a.jpg,cat,dog\nb.jpg,dog,\nc.png,,\n',
        'image,label\na.jpg,cat\na.jpg,dog\na.jpg,cat\nb.jpg,dog\nc.png,\n',
        'a.jpg, cat; dog\r\nb.jpg , dog\r\nc.png,\r\n',
        '\ufefffile,tags\r\na.jpg,cat dog\r\nb.jpg,dog\r\nc.png,',
        'file,cat,dog\na.jpg,1,1\nb.jpg,0,1\nc.png,0,0\n',
        'file,cat,dog\na.jpg,1,1\nb.jpg,-1,1\nc.png,-1,0\n',
        'file, cat, dog\na.jpg,True,1.0\nb.jpg,False,1.0\nc.png,,0.0\n',
        'file,dog,cat\nb.jpg,1,\na.jpg,1,1\nimages/sub/c.png,,\n',
    ],
)
def test_every_form_gives_the_same_tags(photos, text):
    photos.write('labels', text)
    tags = {img_id: sorted(names) for img_id, names in photos.tags().items()}
    assert tags == {'a': ['cat', 'dog'], 'b': ['dog'], 'sub/c': []}


def test_class_names_with_spaces_stay_whole(photos):
    photos.write('labels', 'a,traffic light person\nb,stop light;traffic light\n')
    tags = photos.tags(classes=('traffic light', 'person'))
    assert tags == {'a': ['traffic light', 'person'], 'b': ['stop', 'light', 'traffic light']}


def test_file_names_with_separators_are_quoted(folder):
    folder.add('a,b; "c".jpg').write('labels', '"a,b; ""c"".jpg",cat\n')
    assert folder.tags() == {'a,b; "c"': ['cat']}


def test_columns_of_other_classes_are_kept(photos):
    photos.write('labels', 'file,cat,horse\na.jpg,0,1\n')
    assert photos.tags() == {'a': ['horse']}


def test_a_missing_image_in_the_first_line_is_not_taken_for_a_heading(photos):
    photos.write('labels', 'lost.jpg,cat\na.jpg,dog\n')
    with pytest.raises(UserInputError, match=r"no image for 1 of its 2 labels: 'lost\.jpg'"):
        photos.read()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a.jpg\nb.jpg\n', 'neither JSON nor CSV'),
        ('', 'neither JSON nor CSV'),
        ('file,tags\n', 'no label'),
        ('a.jpg,0 1\n', 'line 1: 0 is not the name of a class'),
        ('file,x,y\na.jpg,0,1\n', 'line 2: 0 is not the name of a class'),
        ('file,cat,dog\na.jpg,1\n', 'line 2: 2 cells, but the first line names 3'),
        ('file,cat,split\na.jpg,1,train\n', "'train' in the column 'split'"),
        ('lost,cat\na,dog\n', "'dog' in the column 'cat'.*that image does not exist"),
        ('a.jpg,cat\n,dog\n', 'line 2: the first cell is empty'),
        ('a.jpg,"cat\nb.jpg,dog\n', 'Correct the quotes'),
        ('../a.jpg,cat\n', 'is not an image id'),
        ('a.jpg,cat\n1.jpg,dog\n', "no image for 1 of its 2 labels: '1.jpg'"),
    ],
)
def test_a_mistake_is_explained(photos, text, message):
    photos.write('labels', text)
    with pytest.raises(UserInputError, match=message):
        photos.read()


def test_a_name_of_two_words_may_spell_umlauts_in_the_other_way(photos):
    photos.write('labels', 'a.jpg,roter Ka\u0308fer\n'.encode())
    assert [tag.name for tag in photos.read(classes=('roter K\u00e4fer',)).objects['a']] == [
        'roter K\u00e4fer'
    ]


def test_an_encoding_of_a_spreadsheet_is_explained(photos):
    photos.write('labels', 'a.jpg,K\xe4tzchen\n'.encode('cp1252'))
    with pytest.raises(UserInputError, match='is not UTF-8 text'):
        photos.read()
