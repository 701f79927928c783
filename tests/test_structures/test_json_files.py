import os

import pytest

from mmwsss.structures import UserInputError, read_json


def write(tmp_path, content):
    path = tmp_path / 'state.json'
    path.write_bytes(content)
    return path


def test_json_is_read_as_written_with_or_without_a_byte_order_mark(tmp_path):
    content = b'{"a": [1, 2.5, null, true, "\xc3\xa9"]}'
    assert read_json(write(tmp_path, content)) == {'a': [1, 2.5, None, True, 'é']}
    assert read_json(write(tmp_path, b'\xef\xbb\xbf' + content))['a'][0] == 1


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'line 1 column 1'),
        (b'{"a": [1', 'line 1 column 9'),
        (b'{"a": 1} {', 'Extra data'),
        (b'{"b": {"a": 1, "c": 0, "a": 2}}', "key 'a' occurs twice"),
        (b'[' * 100_000 + b']' * 100_000, 'nested too deeply'),
        (b'{"a": ' + b'1' * 10_000 + b'}', 'limit'),
        (b'[NaN]', 'NaN'),
        (b'[-Infinity]', '-Infinity'),
        (b'[1e999]', '1e999'),
        (b'\xff\xfe{\x00}\x00', 'not UTF-8'),
    ],
)
def test_what_is_not_strict_json_is_refused_in_one_line(tmp_path, content, reason):
    path = write(tmp_path, content)
    with pytest.raises(UserInputError) as caught:
        read_json(path, 'state of the stage')
    message = str(caught.value)
    assert reason in message
    assert f'state of the stage {str(path)!r}' in message
    assert '\n' not in message and len(message) < 400


def test_what_is_not_a_file_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    os.symlink('loop', tmp_path / 'loop')
    for name, reason in {
        'none': 'does not exist',
        'pipe': 'pipe',
        'loop': 'cannot be opened',
        '.': 'folder',
        'a\0b': 'cannot be opened',
    }.items():
        with pytest.raises(UserInputError, match=reason):
            read_json(tmp_path / name)
