import numpy as np
import pytest

from mmwsss.structures import UserInputError, read_proportions, write_proportions

IDS = ('a', 'sub/b')
VALUES = np.array([[0.0, 0.25, 1.0], [0.1, 0.0, 0.0]])
CLASSES = ('cat', 'dog', 'ring')


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'labels' / 'crf_proportions.npz'
    write_proportions(path, IDS, VALUES, CLASSES)
    return path


def rewrite(path, **changes):
    with np.load(path) as file:
        arrays = {**{key: file[key] for key in file.files}, **changes}
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})


def test_proportions_come_back_in_double_precision(path):
    ids, values, classes = read_proportions(path)
    assert (ids, classes) == (IDS, CLASSES)
    assert values.dtype == np.float64
    assert np.array_equal(values, VALUES)
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no temporary file is left


def test_a_file_needs_no_pickle(path):
    with np.load(path, allow_pickle=False) as file:
        assert {key: file[key].dtype.kind for key in file.files} == {
            'ids': 'U',
            'proportions': 'f',
            'classes': 'U',
        }


def test_the_same_proportions_make_the_same_file(path):
    other = path.with_name('other.npz')
    write_proportions(other, IDS, VALUES, CLASSES)
    assert other.read_bytes() == path.read_bytes()


def test_single_precision_of_another_program_is_read(path):
    rewrite(path, proportions=VALUES.astype(np.float32))
    assert read_proportions(path).values.dtype == np.float64


def test_a_missing_file_is_named_with_the_two_ways_to_make_it(path):
    with pytest.raises(UserInputError, match=r"no\.npz' does not exist.*PseudoLabelLoop.*estimate"):
        read_proportions(path.with_name('no.npz'))


def test_a_file_that_was_cut_off_is_named(path):
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserInputError, match=r"crf_proportions\.npz' cannot be read"):
        read_proportions(path)


def test_a_folder_is_told_from_a_damaged_file(path):
    with pytest.raises(UserInputError, match=r'proportions .* is a folder\. Name the file itself'):
        read_proportions(path.parent)


def test_pickled_dictionaries_are_refused(path):
    np.savez(path, ids=np.array([{'a': 1}]), proportions=VALUES, classes=np.array(CLASSES))
    with pytest.raises(UserInputError, match='cannot be read'):
        read_proportions(path)


@pytest.mark.parametrize('content', ['another archive', 'a bare array'])
def test_foreign_files_are_refused(path, content):
    if content == 'a bare array':
        with path.open('wb') as file:
            np.save(file, VALUES)
    else:
        np.savez(path, scores=VALUES)
    with pytest.raises(UserInputError, match='not a file of proportions: expected an npz'):
        read_proportions(path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'proportions': VALUES[:1]}, r'expected text `ids` \(N,\)'),
        ({'proportions': VALUES.T}, r'expected text `ids` \(N,\)'),
        ({'proportions': VALUES.astype(int)}, r'expected text `ids` \(N,\)'),
        ({'ids': np.arange(2)}, r'expected text `ids` \(N,\)'),
        ({'proportions': VALUES + 0.5}, r"'a' has the proportion 1.5 of 'ring'"),
        ({'proportions': VALUES - 0.01}, r"'a' has the proportion -0.01 of 'cat'"),
        ({'proportions': VALUES * np.nan}, r"'a' has the proportion nan of 'cat'"),
        ({'ids': np.array(['a', 'a'])}, "'a' occurs more than once in `ids`"),
        ({'classes': np.array(['cat', 'dog', 'cat'])}, "'cat' occurs more than once in `classes`"),
    ],
)
def test_values_that_are_no_proportions_are_refused(path, changes, message):
    rewrite(path, **changes)
    with pytest.raises(UserInputError, match=rf'crf_proportions\.npz: .*{message}'):
        read_proportions(path)


def test_a_wrong_table_is_not_written(path):
    before = path.read_bytes()
    with pytest.raises(UserInputError, match='has the proportion 2'):
        write_proportions(path, IDS, VALUES * 2, CLASSES)
    assert path.read_bytes() == before
