import numpy as np
import pytest

from mmwsss.structures import (
    UserInputError,
    is_valid_scores,
    manifest_stamp,
    read_scores,
    settings_stamp,
    write_scores,
)

SCORES = np.array([0.5, 0.25, 1.0], dtype=np.float32)[:, None, None] * np.ones((3, 4, 5))
CLASSES = np.array([2, 7])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'seed_scores' / 'a.npz'
    write_scores(path, SCORES, CLASSES, 'stamp')
    return path


def test_scores_come_back_as_halves_with_their_classes(path):
    scores, classes = read_scores(path)
    assert scores.dtype == np.float16 and classes.dtype == np.int64
    assert np.array_equal(scores, SCORES)
    assert classes.tolist() == [2, 7]
    assert [p.name for p in path.parent.iterdir()] == ['a.npz']  # no temporary file is left


def test_scores_of_cells_come_back_enlarged_to_the_image(path):
    cells = np.array([[[0.0, 4.0]], [[1.0, 1.0]]])
    write_scores(path, cells, np.array([3]), 'stamp', stride=2, size=(1, 3))
    scores, classes = read_scores(path)
    assert scores.dtype == np.float16 and classes.tolist() == [3]
    assert scores.tolist() == [
        [[0, 1, 3]],
        [[1, 1, 1]],
    ]  # bilinear between the middles of the cells
    with np.load(path) as file:
        assert np.array_equal(file['scores'], cells)
        assert (file['stride'], file['size'].tolist()) == (2, [1, 3])


def test_small_scores_are_rounded_to_the_precision_of_the_largest_of_their_row(path):
    scores = np.array([[[1.0, 0.4999, 0.0011, 1e-5]], [[0.011, -0.02, 1e-6, 0.0]]])
    write_scores(path, scores, CLASSES[:1], 'stamp')
    found, _ = read_scores(path)
    # Largest below 2**0 and 2**-5, hence steps of 2**-11 and 2**-16.
    expected = [[[1, 1024 / 2048, 2 / 2048, 0]], [[721 / 65536, -1311 / 65536, 0, 0]]]
    assert found.tolist() == expected


def test_the_same_scores_make_the_same_file(path):
    other = path.with_name('b.npz')
    write_scores(other, SCORES, CLASSES, 'stamp')
    assert other.read_bytes() == path.read_bytes()


def test_background_alone_has_no_class(path):
    write_scores(path, np.ones((1, 2, 3)), np.zeros(0), 'stamp')
    scores, classes = read_scores(path)
    assert scores.shape == (1, 2, 3)
    assert classes.shape == (0,) and classes.dtype == np.int64


@pytest.mark.parametrize('value', [np.nan, np.inf, 1e5])
def test_scores_that_are_no_half_numbers_are_not_written(path, value):
    before = path.read_bytes()
    with pytest.raises(ValueError, match='finite and below 65504'):
        write_scores(path, np.full((1, 2, 2), value), np.zeros(0), 'stamp')
    assert path.read_bytes() == before


def test_scores_are_valid_for_their_own_settings_only(path):
    assert is_valid_scores(path, 'stamp')
    assert not is_valid_scores(path, 'other')


def test_settings_are_told_apart_from_the_label_of_the_image(path):
    assert settings_stamp(path) == 'stamp'
    write_scores(path, SCORES, CLASSES, 'stamp-label')
    assert settings_stamp(path) == 'stamp'
    assert not is_valid_scores(path, 'stamp')
    assert is_valid_scores(path, 'stamp-label')


def test_missing_files_and_those_of_other_programs_have_no_settings(path):
    assert settings_stamp(path.with_name('b.npz')) is None
    np.savez(path, scores=SCORES, classes=CLASSES)
    assert settings_stamp(path) is None
    assert manifest_stamp(path.parent) is None


def test_missing_cut_off_and_foreign_files_are_not_valid(path):
    assert not is_valid_scores(path.with_name('b.npz'), 'stamp')
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert not is_valid_scores(path, 'stamp')
    np.savez(path, scores=SCORES, classes=CLASSES)
    assert not is_valid_scores(path, 'stamp')
    with path.open('wb') as file:
        np.save(file, SCORES)
    assert not is_valid_scores(path, 'stamp')


def test_a_file_without_fingerprint_from_another_program_is_read(path):
    np.savez(path, scores=SCORES.astype(np.float32), classes=CLASSES.astype(np.int32))
    scores, classes = read_scores(path)
    assert scores.dtype == np.float32 and classes.dtype == np.int64


def test_a_missing_file_is_named(path):
    with pytest.raises(UserInputError, match=r"b\.npz' does not exist.*keep_scores"):
        read_scores(path.with_name('b.npz'))


def test_a_file_that_was_cut_off_is_named(path):
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserInputError, match=r"a\.npz' cannot be read.*Delete it"):
        read_scores(path)


def test_a_flipped_bit_inside_is_found_when_reading(path):
    content = bytearray(path.read_bytes())
    content[80] ^= 4
    path.write_bytes(content)
    with pytest.raises(UserInputError, match=r"a\.npz' cannot be read"):
        read_scores(path)


def test_pickled_objects_are_refused(path):
    np.savez(path, scores=np.array([{}, None, 1]), classes=CLASSES)
    with pytest.raises(UserInputError, match='cannot be read'):
        read_scores(path)


def test_a_bare_array_and_other_archives_are_no_score_files(path):
    np.savez(path, cams=SCORES)
    with pytest.raises(UserInputError, match='not a score file'):
        read_scores(path)
    with path.open('wb') as file:
        np.save(file, SCORES)
    with pytest.raises(UserInputError, match='not a score file'):
        read_scores(path)


@pytest.mark.parametrize(
    ('scores', 'classes', 'message'),
    [
        (SCORES[:2], CLASSES, 'expected float `scores`'),  # a row is missing
        (SCORES[0], CLASSES, 'expected float `scores`'),
        (SCORES.astype(np.int64), CLASSES, 'expected float `scores`'),
        (SCORES, np.array([2, 2]), 'distinct class indices'),
        (SCORES, np.array([-1, 2]), 'distinct class indices'),
        (SCORES, np.array([0.0, 2.0]), 'distinct class indices'),
        (SCORES * np.nan, CLASSES, 'NaN or infinite'),
    ],
)
def test_scores_and_classes_that_do_not_fit_are_refused(path, scores, classes, message):
    np.savez(path, scores=scores, classes=classes)
    with pytest.raises(UserInputError, match=rf'a\.npz.*{message}'):
        read_scores(path)


@pytest.mark.parametrize(
    'grid',
    [
        dict(stride=2),
        dict(size=(8, 10)),
        dict(stride=2, size=(8, 11)),  # 6 cells
        dict(stride=0, size=(8, 10)),
        dict(stride=2.0, size=(8, 10)),
        dict(stride=2, size=(-8, 10)),
        dict(stride='2', size=('8', '10')),
        dict(stride=10**9, size=(4 * 10**9, 5 * 10**9)),
    ],
)
def test_a_grid_that_does_not_fit_the_scores_is_refused(path, grid):
    np.savez(path, scores=SCORES, classes=CLASSES, **grid)
    with pytest.raises(UserInputError, match=r'a\.npz: expected a `stride` of the cells'):
        read_scores(path)
