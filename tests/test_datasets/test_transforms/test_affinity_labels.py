import numpy as np
import pytest
from mmcv.transforms import Compose

from mmwsss.datasets.transforms import AffinityLabels, LoadConfidentScores
from mmwsss.registry import DATASETS, TRANSFORMS
from mmwsss.structures import UserInputError, write_scores

LOW = np.array([0.2, 0.8, 0.1])[:, None, None] * np.ones((3, 8, 10))
HIGH = np.array([0.1, 0.7, 0.3])[:, None, None] * np.ones((3, 8, 10))


@pytest.fixture
def entry(tmp_path):
    """Results for an 8x10 image whose score files are written by the test."""

    def make(low=LOW, high=HIGH, *, low_classes=(3, 11), high_classes=(3, 11), stamps=('x', 'x')):
        paths = {'foreground_score_path': tmp_path / 'low_scores/sub/a.npz'}
        paths['background_score_path'] = tmp_path / 'high_scores/sub/a.npz'
        write_scores(paths['foreground_score_path'], low, np.array(low_classes), stamps[0])
        write_scores(paths['background_score_path'], high, np.array(high_classes), stamps[1])
        return {
            'img': np.zeros((8, 10, 3), dtype=np.uint8),
            'img_path': 'a.jpg',
            'img_id': 'sub/a',
            'img_shape': (8, 10),
            'num_classes': 20,
            'seg_fields': [],
            **{key: str(path) for key, path in paths.items()},
        }

    return make


def test_both_scores_become_one_field_for_flips_and_crops(entry):
    results = LoadConfidentScores().transform(entry())
    assert results['seg_fields'] == ['confident_scores']
    assert results['confident_scores'].shape == (8, 10, 6)
    pixel = results['confident_scores'][3, 4]
    np.testing.assert_allclose(pixel, [0.2, 0.8, 0.1, 0.1, 0.7, 0.3], atol=1e-3)
    assert results['score_classes'].tolist() == [3, 11]


def test_rows_are_matched_by_class_and_not_by_place(entry):
    swapped = HIGH[[0, 2, 1]]
    expected = LoadConfidentScores().transform(entry())
    results = LoadConfidentScores().transform(entry(high=swapped, high_classes=(11, 3)))
    assert np.array_equal(results['confident_scores'], expected['confident_scores'])
    assert results['score_classes'].tolist() == [3, 11]


def test_an_image_without_a_class_has_a_background_alone(entry):
    ones = np.ones((1, 8, 10))
    results = LoadConfidentScores().transform(entry(ones, ones, low_classes=(), high_classes=()))
    assert results['confident_scores'].shape == (8, 10, 2)
    assert not AffinityLabels(2).transform(results)['affinity_label'].any()


@pytest.mark.parametrize(
    ('files', 'message'),
    [
        (
            dict(high_classes=(3, 12)),
            r'low_scores/sub/a\.npz.*\[3, 11\].*high_scores/sub/a\.npz.*\[3, 12\]',
        ),
        (
            dict(high=HIGH[:2], high_classes=(3,)),
            r'low_scores/sub/a\.npz.*high_scores/sub/a\.npz.*\[3\]',
        ),
        (
            dict(low=LOW[:, 1:]),
            r'low_scores/sub/a\.npz: the scores are 7x10, but the image a\.jpg is 8x10',
        ),
        (dict(high=HIGH[..., 1:]), r'high_scores/sub/a\.npz: the scores are 8x9'),
        (
            dict(low_classes=(3, 20), high_classes=(3, 20)),
            r'low_scores/sub/a\.npz.*expected indices 0\.\.19',
        ),
    ],
)
def test_files_that_do_not_fit_are_named(entry, files, message):
    with pytest.raises(UserInputError, match=message):
        LoadConfidentScores().transform(entry(**files))


def test_files_of_other_settings_are_named(entry):
    assert LoadConfidentScores().transform(entry(stamps=('x-label', 'x-label')))
    message = r'low_scores.*and .*high_scores.*settings are x and y.* None and None'
    with pytest.raises(UserInputError, match=message):
        LoadConfidentScores().transform(entry(stamps=('x-label', 'y-label')))


def test_files_of_a_run_before_that_of_the_manifest_are_named(entry, tmp_path):
    results = entry(stamps=('x-label', 'x-label'))
    (tmp_path / 'manifest.json').write_text('{"fingerprint": "x"}')
    assert LoadConfidentScores().transform(results)
    (tmp_path / 'manifest.json').write_text('{"fingerprint": "y"}')
    with pytest.raises(UserInputError, match=r'settings are x and x.* y and y'):
        LoadConfidentScores().transform(entry(stamps=('x-label', 'x-label')))


def test_files_of_another_program_need_no_settings(entry):
    results = entry()
    for key, scores in (('foreground_score_path', LOW), ('background_score_path', HIGH)):
        np.savez(results[key], scores=scores, classes=np.array([3, 11]))
    assert LoadConfidentScores().transform(results)['score_classes'].tolist() == [3, 11]


def test_a_data_set_without_score_files_is_told_what_to_set():
    with pytest.raises(UserInputError, match=r'data_prefix\.foreground_score_path'):
        LoadConfidentScores().transform({'img': np.zeros((2, 2, 3))})


def test_scores_give_way_to_the_label(entry):
    results = AffinityLabels(stride=2).transform(LoadConfidentScores().transform(entry()))
    assert results['affinity_label'].dtype == np.uint8
    assert results['affinity_label'].tolist() == [[4] * 5] * 4
    assert results['seg_fields'] == []
    assert 'confident_scores' not in results


def test_a_crop_that_is_no_multiple_of_the_stride_is_refused(entry):
    with pytest.raises(UserInputError, match='crop_size'):
        AffinityLabels(stride=4).transform(LoadConfidentScores().transform(entry()))


def test_a_label_needs_scores_and_a_stride():
    with pytest.raises(UserInputError, match='put LoadConfidentScores before'):
        AffinityLabels().transform({'seg_fields': []})
    with pytest.raises(ValueError, match='at least 1 pixel'):
        AffinityLabels(stride=0)


def halves(left, right):
    """Scores whose left half has the class `left`, the right half `right` (0 = background)."""
    scores = np.full((3, 8, 10), 0.1)
    scores[left, :, :5] = scores[right, :, 5:] = 0.9
    return scores


@pytest.mark.parametrize('crop', ['PlaceRandomCrop', 'PadRandomCrop'])
def test_padding_around_a_small_image_is_ignored(entry, crop):
    pipeline = Compose(
        [
            TRANSFORMS.build(dict(type='LoadConfidentScores')),
            TRANSFORMS.build(dict(type=crop, crop_size=32)),
            TRANSFORMS.build(dict(type='AffinityLabels', stride=1)),
        ]
    )
    results = pipeline(entry(halves(1, 0), halves(1, 0)))
    label = results['affinity_label']
    assert results['img'].shape[:2] == label.shape == (32, 32)
    assert (label != 255).sum() == 80
    assert (label == 4).sum() == (label == 0).sum() == 40
    rows, columns = np.nonzero(label == 4)
    assert (np.ptp(rows), np.ptp(columns)) == (7, 4)  # the block is still one piece


def test_a_flip_moves_scores_with_the_image(entry):
    results = LoadConfidentScores().transform(entry(halves(1, 2), halves(1, 2)))
    results['img'][:, :5] = 200
    flipped = TRANSFORMS.build(dict(type='RandomFlip', prob=1.0)).transform(results)
    assert (flipped['img'][:, 5:] == 200).all()
    label = AffinityLabels(stride=1).transform(flipped)['affinity_label']
    assert (label[:, :5] == 12).all() and (label[:, 5:] == 4).all()


def test_a_change_of_scale_takes_scores_along(entry):
    results = LoadConfidentScores().transform(entry(halves(1, 2), halves(1, 2)))
    scale = dict(type='RandomLongSide', size=20, ratio_range=(1.0, 1.0))
    label = AffinityLabels(stride=2).transform(TRANSFORMS.build(scale).transform(results))
    assert label['affinity_label'].tolist() == [[4] * 5 + [12] * 5] * 8


def test_from_a_data_set_to_a_packed_sample(voc, tmp_path):
    voc.add('a', size=(10, 8))
    for name, scores in (('low', LOW), ('high', HIGH)):
        write_scores(tmp_path / f'{name}_scores' / 'a.npz', scores, np.array([3, 11]), 'x')
    dataset = DATASETS.build(
        dict(
            type='VOCWeakDataset',
            ann_file='lists/train.txt',
            data_root=str(voc.root),
            supervision=None,
            data_prefix=dict(
                foreground_score_path=str(tmp_path / 'low_scores'),
                background_score_path=str(tmp_path / 'high_scores'),
            ),
            pipeline=[
                dict(type='LoadImage'),
                dict(type='LoadConfidentScores'),
                dict(type='PlaceRandomCrop', crop_size=16),
                dict(type='RandomFlip', prob=0.5),
                dict(type='AffinityLabels', stride=4),
                dict(type='PackWeakInputs'),
            ],
        )
    )
    sample = dataset[0]['data_samples']
    assert sample.affinity_label.data.shape == (1, 4, 4)
    assert set(sample.affinity_label.data.unique().tolist()) <= {4, 255}
    assert (sample.affinity_label.data == 4).any()
    assert 'gt_sem_seg' not in sample
