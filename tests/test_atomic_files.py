import pytest

from mmwsss.structures.atomic_files import open_atomically, write_atomically


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
    # As every new file, and unlike one of the tempfile module.
    write_atomically(path, b'')
    (path.parent / 'plain').touch()
    assert path.stat().st_mode == (path.parent / 'plain').stat().st_mode
