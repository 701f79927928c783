import os

import pytest

from mmwsss.structures.atomic_files import open_atomically, remove_leftovers, write_atomically


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'new/folder/file.bin'


def test_a_file_appears_with_its_folder_and_nothing_else(path):
    write_atomically(path, b'content')
    assert path.read_bytes() == b'content'
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_not_there_before_it_is_complete(path):
    with open_atomically(path) as file:
        file.write(b'content')
        assert not path.exists()
    assert path.read_bytes() == b'content'


def test_where_the_writing_fails_the_old_file_stays_alone(path):
    write_atomically(path, b'old')
    with pytest.raises(KeyboardInterrupt), open_atomically(path) as file:
        file.write(b'half of the new')
        raise KeyboardInterrupt
    assert path.read_bytes() == b'old'
    assert list(path.parent.iterdir()) == [path]


def test_others_may_read_the_file(path):
    # As for any new file, and unlike those of the tempfile module.
    write_atomically(path, b'')
    (path.parent / 'plain').touch()
    assert path.stat().st_mode == (path.parent / 'plain').stat().st_mode


def test_the_temporary_name_is_new_each_time_and_short_enough_for_the_longest_name(path):
    path = path.with_name('n' * 255)
    names = set()
    for _ in range(3):
        with open_atomically(path):
            names.update(file.name for file in path.parent.glob('.n*.tmp'))
    assert len(names) == 3
    assert all(str(os.getpid()) not in name.split('.') for name in names)
    assert list(path.parent.iterdir()) == [path]


def test_leftovers_of_killed_runs_are_removed_and_files_of_others_are_not(tmp_path):
    (tmp_path / 'below').mkdir()
    left = tmp_path / '.a.png.0123456789abcdef.tmp'
    names = ('.theirs.tmp', 'a.png', '.a.png.part.tmp', 'below/.b.png.0123456789abcdef.tmp')
    others = [tmp_path / name for name in names]
    for path in (left, *others):
        path.touch()
    remove_leftovers(tmp_path)
    assert not left.exists()
    assert all(path.exists() for path in others)
