import json
import os
import shutil

import pytest

from mmwsss.engine.state import contents as module
from mmwsss.engine.state.contents import Contents
from mmwsss.structures import DeletedScores, UserInputError, delete_scores, forget_deleted


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / 'data'
    folder.mkdir()
    for name in 'abc':
        (folder / f'{name}.txt').write_text(name)
    return folder


@pytest.fixture
def read(monkeypatch):
    """Names of the files that are read."""
    names = []

    def noted(path):
        names.append(os.path.basename(path))
        return hash_of(path)

    hash_of = module.file_hash
    monkeypatch.setattr(module, 'file_hash', noted)
    return names


def files(folder):
    return sorted(str(path) for path in folder.iterdir())


def test_unchanged_files_are_read_once(data, tmp_path, read):
    first = Contents(tmp_path / 'contents.json').of_files(files(data), str(data))
    again = Contents(tmp_path / 'contents.json').of_files(files(data), str(data))
    assert first == again
    assert sorted(read) == ['a.txt', 'b.txt', 'c.txt']


def test_a_folder_that_was_moved_is_not_read_again(data, tmp_path, read):
    first = Contents(tmp_path / 'contents.json').of_files(files(data), str(data))
    moved = data.rename(tmp_path / 'moved')
    assert Contents(tmp_path / 'contents.json').of_files(files(moved), str(moved)) == first
    assert len(read) == 3


def test_data_of_two_roots_with_equal_names_are_read_once(data, tmp_path, read):
    other = tmp_path / 'other'
    shutil.copytree(data, other)
    for _ in range(2):
        for root in (data, other):
            Contents(tmp_path / 'contents.json').of_files(files(root), str(root))
    assert len(read) == 6


def test_a_file_with_other_content_of_the_same_size_and_date_is_noticed(data, tmp_path):
    contents = Contents(tmp_path / 'contents.json')
    first = contents.of_files(files(data))
    stat = (data / 'b.txt').stat()
    (data / 'b.txt').write_text('x')
    os.utime(data / 'b.txt', ns=(stat.st_atime_ns, stat.st_mtime_ns))
    again = contents.of_files(files(data))
    assert [a == b for a, b in zip(first, again, strict=True)] == [True, False, True]


@pytest.mark.parametrize(
    'damage', ['', '{', '[]', '3', '{"a": 1}', '{"a.txt": [1]}', '{"a.txt": [["1", 2, "x"]]}']
)
def test_a_damaged_list_of_hashes_costs_only_time(data, tmp_path, damage):
    path = tmp_path / 'contents.json'
    first = Contents(path).of_files(files(data), str(data))
    path.write_text(damage)
    assert Contents(path).of_files(files(data), str(data)) == first
    assert set(json.loads(path.read_text())) >= {'a.txt', 'b.txt', 'c.txt'}


def test_the_content_of_a_folder_is_that_of_its_files_and_their_names(data, tmp_path):
    contents = Contents(tmp_path / 'contents.json')
    before = contents.of_path(str(data))
    moved = data.rename(tmp_path / 'moved')
    assert contents.of_path(str(moved)) == before
    (moved / 'a.txt').rename(moved / 'd.txt')
    assert contents.of_path(str(moved)) != before


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserInputError, match=r'none\.jpg cannot be read: No such file'):
        Contents(tmp_path / 'contents.json').of_files([str(tmp_path / 'none.jpg')])


def test_a_pipe_among_the_files_is_refused_and_not_waited_for(data, tmp_path):
    os.mkfifo(data / 'd.txt')
    with pytest.raises(UserInputError, match=r'd\.txt.* is a pipe or a device'):
        Contents(tmp_path / 'contents.json').of_files(files(data), str(data))


def test_scores_that_were_deleted_on_purpose_count_as_before(data, tmp_path):
    contents = Contents(tmp_path / 'contents.json')
    paths = files(data)
    before, hashes = contents.of_path(str(data)), contents.of_files(paths)
    note = {os.path.basename(paths[i]): DeletedScores(hashes[i], 'stamp') for i in (0, 1)}
    delete_scores(data, note)
    assert not os.path.exists(paths[0])
    assert contents.of_path(str(data)) == before
    assert Contents(tmp_path / 'contents.json').of_files(paths) == hashes
    (data / 'a.txt').write_text('other')  # made again with other settings
    assert contents.of_path(str(data)) != before
    forget_deleted(data)
    with pytest.raises(UserInputError, match=r'b\.txt cannot be read'):
        contents.of_files(paths)
