import numpy as np
import pytest
import torch
from reference.affinity_labels import affinity_label as slow_affinity_label

from mmwsss.affinity import (
    affinity_label,
    block_means,
    confident_label,
    grid_label,
    pair_masks,
    stencil_mask,
    stencil_offsets,
)
from mmwsss.affinity.paths import path_cells
from mmwsss.structures import to_class_index


@pytest.mark.parametrize('case', range(2))
def test_labels_match_the_oracle(oracle, case):
    values = oracle('psa_labels_loss')
    assert case < values['num_prob_cases']
    ids, low, high, label = (
        values[f'p{case}_{k}'] for k in ('class_ids', 'la_prob', 'ha_prob', 'label')
    )
    stride = low.shape[1] // label.shape[0]
    assert np.array_equal(block_means(low, stride), values[f'p{case}_la_pooled'])
    assert np.array_equal(block_means(high, stride), values[f'p{case}_ha_pooled'])
    expected = np.where(label == 255, 255, ids[np.where(label == 255, 0, label)])
    result = affinity_label(low, high, to_class_index(ids[1:]), stride=stride)
    assert result.dtype == np.uint8
    assert np.array_equal(result, expected)


def test_labels_match_a_slow_reference():
    rng = np.random.default_rng(0)
    low, high = rng.random((2, 4, 24, 40))
    low[:, :8], high[:, :8] = 0, 0
    high[0] *= 1.03  # blocks of noise have nearly equal means
    classes = np.array([0, 3, 19])
    label = affinity_label(low, high, classes, stride=4)
    assert set(np.unique(label)) == {0, 1, 4, 20, 255}
    assert np.array_equal(label, slow_affinity_label(low, high, classes.tolist(), 4))


def column(*scores):
    """Scores of the channels at one pixel, (1+n, 1, 1)."""
    return np.array(scores, dtype=np.float16)[:, None, None]


@pytest.mark.parametrize(
    ('low', 'high', 'expected'),
    [
        (column(0.2, 0.8), column(0.1, 0.9), 6),  # both say class 5
        (column(0.9, 0.1), column(0.6, 0.4), 0),  # both say background
        (column(0.6, 0.4), column(0.1, 0.9), 255),  # they disagree
        (column(0.2, 0.8), column(0.9, 0.1), 0),  # the certain background comes last
        (column(0.5, 0.5), column(0.1, 0.9), 255),  # the background wins a tie
        (column(0, 0), column(0, 0), 255),  # padding
        (column(0, 0), column(2e-5, 0), 0),
    ],
)
def test_a_cell_gets_the_label_of_the_rule(low, high, expected):
    assert affinity_label(low, high, np.array([5]), stride=1).item() == expected


def test_one_certain_pixel_decides_a_block_by_its_mean():
    low = np.zeros((2, 4, 4))
    low[0], low[1, 0, 0] = 0.05, 1.0  # means 0.05 and 0.0625
    assert affinity_label(low, low, np.array([0]), stride=4).tolist() == [[1]]


def test_an_image_without_a_class_is_background():
    ones = np.ones((1, 8, 8), dtype=np.float16)
    assert (
        affinity_label(ones, ones, np.zeros(0, dtype=np.int64), stride=4).tolist() == [[0, 0]] * 2
    )


@pytest.mark.parametrize('size', [(12, 16), (16, 12), (3, 3)])
def test_sizes_that_are_no_multiples_of_the_stride_are_refused(size):
    scores = np.ones((2, *size))
    with pytest.raises(ValueError, match='multiples of the stride 8'):
        affinity_label(scores, scores, np.array([0]), stride=8)


def test_scores_of_different_classes_are_refused():
    low, high = np.ones((3, 8, 8)), np.ones((2, 8, 8))
    with pytest.raises(ValueError, match=r'\(3, H, W\) for 2 classes'):
        affinity_label(low, high, np.array([0, 1]), stride=8)


# Labels of cells from label maps


def test_a_cell_has_the_label_of_the_pixel_in_its_middle(oracle):
    values = oracle('irn_labels')
    for case in range(int(values['num_full_cases'])):
        label = grid_label(values[f'f{case}_label_full'], 4)
        assert np.array_equal(label, values[f'f{case}_label'])


def test_pairs_are_of_the_published_kinds(oracle):
    values = oracle('irn_labels')
    cases = [f'f{k}' for k in range(int(values['num_full_cases']))]
    cases += [f'm{k}' for k in range(int(values['num_map_cases']))]
    for case in cases:
        label, radius = torch.from_numpy(values[f'{case}_label']), int(values[f'{case}_radius'])
        # Their ids end at 20, ours at 254.
        suffix = '_all' if f'{case}_bg_all' in values else ''
        frame = stencil_mask(label.shape, radius=radius, official_border=True)
        lengths = [len(path_cells(offset)) for offset in stencil_offsets(radius)]
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        masks = pair_masks(label[None], radius=radius, official_border=True)
        for mask, kind in zip(masks, ('bg', 'fg', 'neg'), strict=True):
            listed = torch.stack([mask[0, k][frame[k]] for k in order])
            assert np.array_equal(listed, values[f'{case}_{kind}{suffix}'])


def test_two_label_maps_are_merged_as_published(oracle):
    values = oracle('irn_ir_labels')
    ids = np.concatenate([[0], values['rule_class_ids'] + 1])
    foreground, background = ids[values['rule_fg_crf']], ids[values['rule_bg_crf']]
    assert np.array_equal(confident_label(foreground, background), values['rule_label'])


@pytest.mark.parametrize(
    ('foreground', 'background', 'expected'),
    [(3, 3, 3), (3, 0, 3), (3, 5, 3), (0, 5, 255), (0, 0, 0), (255, 255, 255)],
)
def test_the_class_of_the_high_threshold_wins(foreground, background, expected):
    merged = confident_label(np.array([[foreground]]), np.array([[background]]))
    assert merged.dtype == np.uint8
    assert merged.tolist() == [[expected]]
