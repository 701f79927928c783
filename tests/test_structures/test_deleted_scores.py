import json

import pytest

from mmwsss.structures import (
    DeletedScores,
    delete_scores,
    deleted_file,
    deleted_scores,
    forget_deleted,
)

FILES = {'a.npz': DeletedScores('1a', 's-1'), 'b/c.npz': DeletedScores('2b', 's-2')}


@pytest.fixture
def folder(tmp_path):
    for name in (*FILES, 'd.npz'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'scores')
    delete_scores(tmp_path, FILES)
    return tmp_path


def test_deleted_files_leave_a_note_of_what_they_were(folder):
    left = sorted(path.name for path in folder.rglob('*') if path.is_file())
    assert left == ['d.npz', 'deleted.json']
    assert deleted_scores(folder) == FILES
    assert deleted_file(folder / 'b/c.npz') == FILES['b/c.npz']
    assert deleted_file(folder / 'b/d.npz') is None


def test_a_later_deletion_adds_to_the_note(folder):
    later = {'a.npz': DeletedScores('3c', 's-3'), 'd.npz': DeletedScores('4d', 's-4')}
    assert deleted_scores(folder) == FILES  # read before
    delete_scores(folder, later)
    assert deleted_scores(folder) == FILES | later


def test_what_is_forgotten_is_missing(folder, tmp_path_factory):
    forget_deleted(folder)
    assert deleted_scores(folder) == {} and deleted_file(folder / 'a.npz') is None
    forget_deleted(tmp_path_factory.mktemp('empty'))


@pytest.mark.parametrize(
    'content',
    [
        '{"a.npz": ["1a", "s-1"',
        '[]',
        '{"a.npz": ["1a"]}',
        '{"a.npz": [1, "s-1"]}',
        '{"../a.npz": ["1a", "s-1"]}',
        '{"/a.npz": ["1a", "s-1"]}',
    ],
)
def test_a_damaged_note_tells_of_nothing(folder, content):
    (folder / 'deleted.json').write_text(content)
    assert deleted_scores(folder) == {}


def test_the_note_is_plain_json(folder):
    assert json.loads((folder / 'deleted.json').read_text())['a.npz'] == ['1a', 's-1']
