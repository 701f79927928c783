"""Users' lists, JSON and XML files that are not what they should be."""

import json
import math
from pathlib import Path

import pytest

from faults.malformed import Case, Malformed, mutations, not_files
from mmwsss.datasets.annotations import Annotation, read_image_ids, read_tags, read_voc_xml
from mmwsss.datasets.weak_labels import ClassIndex, Notes, TagFileLabels, XMLLabels
from mmwsss.structures import manifest_stamp, read_json

pytestmark = pytest.mark.slow

OBJECT = '<object><name>{}</name><bndbox>{}</bndbox></object>'
BOX = dict(xmin='1', ymin='2', xmax='30', ymax='40')
DOG = [('dog', (1.0, 2.0, 30.0, 40.0), False)]


def box(**changes):
    return ''.join(f'<{k}>{v}</{k}>' for k, v in {**BOX, **changes}.items() if v is not None)


def xml(*objects, size=''):
    return f'<annotation>{size}{"".join(objects)}</annotation>'.encode()


def dog(**changes):
    return xml(OBJECT.format('dog', box(**changes)))


def expansion(levels):
    entities = ''.join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, levels))
    head = f'<!DOCTYPE annotation [<!ENTITY e0 "{"x" * 100}">{entities}]>'
    return f'{head}<annotation><object><name>&e{levels - 1};</name></object></annotation>'.encode()


def labels_of(path):
    """Boxes as the data set reads them."""
    classes = ('dog', 'cat')
    options = dict(kind='box', keep_difficult=True, notes=Notes())
    return XMLLabels(str(path.parent), ClassIndex(classes, classes), **options)(path.stem)


def no_instances(label):
    return label == {'instances': []}


XML = {
    'no root': b'<?xml version="1.0"?>',
    'unclosed': b'<annotation><object>',
    'two roots': b'<annotation/><annotation/>',
    'another root': b'<annotations><object/></annotations>',
    'another case': b'<Annotation/>',
    'a name space': b'<annotation xmlns="http://a"/>',
    'objects in a list': b'<annotation><objects><object/></objects></annotation>',
    'objects in objects': b'<annotation><a><b><object/></b></a></annotation>',
    'a page that is XML': b'<html><body><p>404</p></body></html>',
    'an SVG': b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    'JSON': b'{"annotation": {"object": []}}',
    'a billion laughs': expansion(10),
    'a quadratic blow-up': b'<!DOCTYPE a [<!ENTITY b "' + b'x' * 50_000 + b'">]><annotation>'
    + b'&b;' * 50_000 + b'</annotation>',
    'an entity of a file': b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>'
    b'<object><name>&b;</name></object></annotation>',
    'an unknown entity': b'<annotation><object><name>&dog;</name></object></annotation>',
    'entities in a loop': b'<!DOCTYPE a [<!ENTITY b "&c;"><!ENTITY c "&b;">]><annotation>'
    b'<object><name>&b;</name></object></annotation>',
    'an unknown encoding': b'<?xml version="1.0" encoding="dog"?><annotation/>',
    'a wrong encoding': b'<?xml version="1.0" encoding="utf-8"?><annotation>\xff</annotation>',
    'a null': b'<annotation>\0</annotation>',
    'text of 5 MB': b'<annotation>' + b'x' * 5_000_000 + b'</annotation>',
    'no name': xml('<object/>'),
    'an empty name': xml('<object><name> </name></object>'),
    'two names': xml('<object><name>dog</name><name>cat</name></object>'),
    'two boxes': xml(f'<object><name>dog</name>{f"<bndbox>{box()}</bndbox>" * 2}</object>'),
    'two left sides': xml(OBJECT.format('dog', '<xmin>3</xmin>' + box())),
    'no left side': dog(xmin=None),
    'an empty box': xml(OBJECT.format('dog', '')),
    **{f'a side {v!r}': dog(xmin=v) for v in (
        'one', 'nan', '-inf', '1e999', '', '1_0', '1,5', '0x10', '1 2', '<a/>', 'None', '--1'
    )},
}  # fmt: skip
XML_LABELS = {
    'an unknown class': (dog().replace(b'dog', b'wolf'), None),
    'a class in capitals': (dog().replace(b'dog', b'DOG'), None),
    'a name of 1 MB': (dog().replace(b'dog', b'd' * 1_000_000), None),
    'no box': (xml('<object><name>dog</name></object>'), None),
    'swapped corners': (dog(xmin='30', xmax='1'), no_instances),
    'a box of no area': (dog(xmax='1'), no_instances),
    'a box of half a pixel': (dog(xmax='1.5'), no_instances),
    'nested 500 000 deep': (b'<annotation>' + b'<a>' * 500_000 + b'</a>' * 500_000
                            + b'</annotation>', None),
    'minus zero': (dog(xmin='-0'), lambda label: label['instances'][0]['bbox'][0] == 0),
    'huge corners': (dog(xmax='1e300'), lambda label: len(label['instances']) == 1),
    'a size of 0': (xml('<size><width>0</width></size>', OBJECT.format('dog', box())),
                    lambda label: len(label['instances']) == 1),
}  # fmt: skip
GOOD_XML = {
    'a byte order mark': b'\xef\xbb\xbf' + dog(),
    'UTF-16 without a mark': dog().decode().encode('utf-16-le'),
    'UTF-16 with a mark': dog().decode().encode('utf-16'),
    'Latin-1 as declared': b'<?xml version="1.0" encoding="latin-1"?>' + dog(),
    'comments and white space': dog(xmin='\n 1 ').replace(b'<bnd', b'<!-- a --><bnd'),
}

JSON = {
    'a cut': b'{"a": ["dog"',
    'two values': b'{"a": []} {}',
    'single quotes': b"{'a': ['dog']}",
    'a comma at the end': b'{"a": ["dog"],}',
    'a comment': b'{"a": ["dog"]} // one',
    'a key twice': b'{"a": ["dog"], "a": ["cat"]}',
    'a key twice, escaped': b'{"a": ["dog"], "\\u0061": ["cat"]}',
    'a key twice, deep': b'{"a": [{"b": 1, "b": 2}]}',
    'NaN': b'{"a": [NaN]}',
    'infinity': b'{"a": [Infinity]}',
    'too large': b'{"a": [1e999]}',
    '10 000 digits': b'{"a": [' + b'9' * 10_000 + b']}',
    '100 000 brackets': b'{"a": ' + b'[' * 100_000 + b']' * 100_000 + b'}',
    '100 000 objects': b'{"a": ' * 100_000 + b'1' + b'}' * 100_000,
    'brackets without an end': b'[' * 1_000_000,
    'UTF-16': '{"a": ["dog"]}'.encode('utf-16'),
    'Latin-1': '{"a": ["Bär"]}'.encode('latin-1'),
    'a null byte': b'{"a": ["d\0g"]}',
    'a line end in a string': b'{"a": ["d\ng"]}',
    'a backslash': b'{"a": ["d\\g"]}',
    'a bare word': b'{"a": [dog]}',
    'a number with a zero': b'{"a": [01]}',
    'half a pair': b'{"a": ["\\ud83d"}',
}
TAGS = {
    'a list': b'["a"]',
    'nothing': b'{}',
    'null': b'null',
    'a number': b'5',
    'a string': b'"a"',
    'a class instead of a list': b'{"a": "dog"}',
    'no list': b'{"a": null}',
    'an object': b'{"a": {"dog": 1}}',
    'true': b'{"a": [true]}',
    'half a class': b'{"a": [1.5]}',
    'a list in a list': b'{"a": [["dog"]]}',
    'null in a list': b'{"a": [null]}',
    'an unknown class': b'{"a": ["wolf"]}',
    'a class index too large': b'{"a": [2]}',
    'a negative class index': b'{"a": [-1]}',
    'a huge class index': b'{"a": [99999999999999999999]}',
    'an empty class': b'{"a": [""]}',
    'half a character': b'{"a": ["\\ud800"]}',
    'an id with half a character': b'{"\\ud800": ["dog"]}',
    'an id outside': b'{"../a": ["dog"]}',
    'an absolute id': b'{"/etc/passwd": ["dog"]}',
    'an empty id': b'{"": ["dog"]}',
    'an id with a null': b'{"a\\u0000": ["dog"]}',
    'an id of 1 MB': b'{"' + b'a' * 1_000_000 + b'": ["dog"]}',
    'classes of 5 MB': b'{"a": ["' + b'x' * 5_000_000 + b'"]}',
    'a list of 5 MB': b'{"a": [' + b'1.5,' * 1_250_000 + b'1]}',
}
GOOD_TAGS = {
    'a byte order mark': b'\xef\xbb\xbf{"a": ["dog", 1]}',
    'a class twice': b'{"a": ["dog", 0, "cat", "dog"]}',
    'white space': b'\r\n{"a"\t: [ "dog",\n1 ] }\n\n',
    'escapes': b'{"\\u0061": ["d\\u006fg", "cat"]}',
}
LISTS = {
    'blank lines': b'\n \n\t\n',
    'an absolute path': b'a\n/etc/passwd\n',
    'a parent': b'a\n../../b\n',
    'a parent inside': b'a/../../b\n',
    'a backslash': b'a\\b\n',
    'a null': b'a\0b\n',
    'a null alone': b'a\n\0\n',
    'an escape': b'a\x1b[31m\n',
    'a form feed': b'a\x0cb\n',
    'a line separator': 'a\u2028b\n'.encode(),
    'a next-line character': 'a\x85b\n'.encode(),
    'a zero-width space': 'a\u200bb\n'.encode(),
    'writing from the right': 'a\u202eb\n'.encode(),
    'a mark in the middle': b'a\n\xef\xbb\xbfb\n',
    'UTF-16': 'a\nb\n'.encode('utf-16'),
    'Latin-1': 'Bär\n'.encode('latin-1'),
    'a cut character': 'Bär'.encode()[:2],
    'a line of 10 MB': b'a' * 10_000_000,
    'a line of slashes': b'a' + b'/' * 1_000_000,
    'an id twice': b'a\nb\na\n',
    'an id twice, with blanks': b'a\n a \n',
    'an id twice, by its folder': b'b/a\nb//a\n',
    'an id by this folder': b'./a\n',
    'a folder': b'a/\n',
    'dots': b'..\n',
    'two columns': b'/JPEGImages/a.jpg /SegmentationClass/a.png\n',
    'a picture': b'\x89PNG\r\n\x1a\n' + bytes(100),
}
GOOD_LISTS = {
    'Windows line ends': b'a\r\nsub/b\r\n',
    'old Mac line ends': b'a\rsub/b\r',
    'a byte order mark': b'\xef\xbb\xbfa\nsub/b\n',
    'no last line end': b'a\nsub/b',
    'blanks around': b'  a\t\n\n sub/b  \n\n',
}


def legal_annotation(annotation):
    """What holds for every accepted XML file: names, and four finite numbers."""
    return isinstance(annotation, Annotation) and all(
        one.name and (one.box is None or (len(one.box) == 4 and all(map(math.isfinite, one.box))))
        for one in annotation.objects
    )


def legal_ids(ids):
    legal = (one.isprintable() and '..' not in one.split('/') for one in ids)
    return len(set(ids)) == len(ids) > 0 and all(legal)


def legal_tags(tags):
    return json.loads(json.dumps(tags)) == tags and legal_ids(list(tags))


def tags_of(path):
    """Tags as the data set reads them."""
    labels = TagFileLabels(str(path), ClassIndex(('dog', 'cat'), ('dog', 'cat')), notes=Notes())
    return {img_id: labels(img_id)['gt_label'] for img_id in labels.image_ids}


def manifest_of(path):
    path.with_name('manifest.json').unlink(missing_ok=True)
    path.rename(path.with_name('manifest.json'))
    try:
        return manifest_stamp(path.with_name('any_scores'))
    finally:
        path.with_name('manifest.json').rename(path)


def boxes_of_annotation(path):
    return read_voc_xml(path).objects


def cases():
    for name, content in XML.items():
        yield '.xml', Case(f'XML: {name}', read_voc_xml, content)
    for name, (content, right) in XML_LABELS.items():
        expected = {} if right is None else {'expected': right}
        if name == 'nested 500 000 deep':
            expected = {'expected': no_instances}
        yield '.xml', Case(f'XML: {name}', labels_of, content, **expected)
    for name, content in GOOD_XML.items():
        yield '.xml', Case(f'XML: {name}', boxes_of_annotation, content, DOG)
    for name, content in JSON.items():
        yield '.json', Case(f'JSON: {name}', read_json, content)
        yield '.json', Case(f'tags: {name}', tags_of, content)
    for name, content in TAGS.items():
        yield '.json', Case(f'tags: {name}', tags_of, content)
    for name, content in GOOD_TAGS.items():
        yield '.json', Case(f'tags: {name}', tags_of, content, {'a': [0, 1]})
    for name, content in LISTS.items():
        yield '.txt', Case(f'list: {name}', read_image_ids, content)
    for name, content in GOOD_LISTS.items():
        yield '.txt', Case(f'list: {name}', read_image_ids, content, ['a', 'sub/b'])
    for name, make in not_files().items():
        empty_list = read_image_ids if name != 'a page' else None  # a page is a list of ids
        readers = {'.xml': read_voc_xml, '.json': tags_of, '.txt': empty_list}
        for suffix, read in readers.items():
            if read is not None:
                yield suffix, Case(f'{suffix}: {name}', read, make)


def mutants():
    samples = [
        ('.xml', read_voc_xml, dog() + b'\n', legal_annotation),
        ('.json', read_tags, b'{"2007_000032": ["dog", "cat"], "b/c": [1, 0]}\n', legal_tags),
        ('.txt', read_image_ids, b'2007_000032\n2007_000039\nb/c\n', legal_ids),
    ]
    for seed, (suffix, read, content, legal) in enumerate(samples):
        for name, mutant in mutations(content, 120, seed):
            yield suffix, Case(f'{suffix}: {name}', read, mutant, legal)


MAKERS = [cases, mutants]


@pytest.mark.parametrize('make', MAKERS)
def test_text_that_is_malformed_is_refused_in_one_line(make, tmp_path):
    malformed = Malformed(f'text ({make.__name__})', Path(tmp_path))
    for suffix, case in make():
        malformed.run(case, suffix)
    malformed.check()


def test_at_least_400_malformed_texts_are_made():
    assert sum(1 for make in MAKERS for _ in make()) >= 400
