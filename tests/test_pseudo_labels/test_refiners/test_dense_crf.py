import builtins

import numpy as np
import pytest
import torch
from reference.pseudo_labels import mean_field

pytest.importorskip('pydensecrf')

from mmwsss.pseudo_labels.refiners import dense_crf as module
from mmwsss.pseudo_labels.refiners.dense_crf import (
    DenseCRF,
    PairwiseTerms,
    dense_crf,
    hard_energies,
    soft_energies,
)


@pytest.fixture
def photo(oracle):
    """Values of the reference for L labels: image, prob, soft, hard ... by name."""

    def load(num_labels: int):
        prefix = f'n{num_labels}_'
        return {k[3:]: v for k, v in oracle('crf').items() if k.startswith(prefix)}

    return load


def refiner(params, **options) -> DenseCRF:
    return DenseCRF(**PairwiseTerms(*map(float, params))._asdict(), **options)


@pytest.mark.parametrize(
    ('num_labels', 'params', 'expected'),
    [
        (1, 'soft_params', 'soft'),
        (2, 'soft_params', 'soft'),
        (4, 'soft_params', 'soft'),
        (2, 'soft_val_params', 'soft_val'),
    ],
)
def test_probabilities_match_the_oracle(oracle, photo, num_labels, params, expected):
    values = photo(num_labels)
    crf = refiner(oracle('crf')[params])
    refined = crf.refine(torch.from_numpy(values['prob']), values['image'], None)
    np.testing.assert_allclose(refined.numpy(), values[expected], rtol=0, atol=1e-4)


@pytest.mark.parametrize('num_labels', [2, 4])
def test_hard_labels_match_the_oracle(oracle, photo, num_labels):
    values = photo(num_labels)
    crf = refiner(oracle('crf')['hard_params'], gt_prob=float(oracle('crf')['hard_gt_prob']))
    refined = crf.refine(torch.from_numpy(values['prob']), values['image'], None)
    np.testing.assert_allclose(refined.numpy(), values['hard'], rtol=0, atol=1e-4)


@pytest.mark.parametrize('terms', [(4, 55, 3, 3, 3), (1, 5, 40, 1, 2)])
def test_marginals_are_near_those_of_exact_kernels(photo, terms):
    values = photo(2)
    image = np.ascontiguousarray(values['image'][:8, :9])
    energies = soft_energies(values['prob'][:, 20:28, :9])
    refined = dense_crf(energies, image, PairwiseTerms(*terms), iterations=3)
    exact = mean_field(energies, image, terms, 3)
    assert np.abs(refined - exact).mean() < 2e-3
    assert np.abs(np.exp(-energies) - exact).mean() > 2e-2  # the CRF did something


def test_hard_energies_of_three_labels():
    energies = hard_energies(np.array([[0, 2]]), 3, gt_prob=0.5)
    expected = -np.log([[[0.5, 0.25]], [[0.25, 0.25]], [[0.25, 0.5]]])
    np.testing.assert_allclose(energies, expected, rtol=1e-6)


def test_single_label_is_certain_without_a_crf():
    for crf in (DenseCRF(), DenseCRF(gt_prob=0.7)):
        refined = crf.refine(torch.zeros(1, 3, 4), np.zeros((3, 4, 3), np.uint8), None)
        assert refined.eq(1).all()


def test_lattice_that_is_used_again_gives_the_same_values(photo):
    values = photo(2)
    crf, scores = DenseCRF(), torch.from_numpy(values['prob'])
    module._crf_of_image.cache_clear()
    fresh = crf.refine(scores, values['image'], None)
    module._crf_of_image.cache_clear()
    crf.refine(scores.flip(0), values['image'], None)
    again = crf.refine(scores, values['image'], None)
    assert module._crf_of_image.cache_info().hits == 1
    assert again.equal(fresh)


def test_another_image_or_other_parameters_build_another_lattice(photo):
    values = photo(2)
    scores = torch.from_numpy(values['prob'])
    first = DenseCRF().refine(scores, values['image'], None)
    assert not DenseCRF().refine(scores, values['image'][::-1].copy(), None).equal(first)
    assert not DenseCRF(bilateral_xy=20).refine(scores, values['image'], None).equal(first)
    assert DenseCRF().refine(scores, values['image'], None).equal(first)


def test_grey_image_is_used_as_a_grey_rgb_image(photo):
    scores = torch.from_numpy(photo(2)['prob'])
    grey = photo(2)['image'][..., 0].copy()
    expected = DenseCRF().refine(scores, np.stack([grey] * 3, axis=2), None)
    assert DenseCRF().refine(scores, grey, None).equal(expected)
    assert DenseCRF().refine(scores, grey[..., None], None).equal(expected)


@pytest.mark.parametrize('gt_prob', [None, 0.7])
def test_nan_scores_are_refused(gt_prob):
    scores = torch.rand(2, 3, 4)
    scores[1, 0, 0] = torch.nan
    with pytest.raises(ValueError, match='got NaN'):
        DenseCRF(gt_prob=gt_prob).refine(scores, np.zeros((3, 4, 3), np.uint8), None)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.zeros((4, 3, 3), np.uint8), 'size of the scores'),
        (np.zeros((3, 4, 3), np.float32), 'uint8'),
        (np.zeros((3, 4, 4), np.uint8), 'uint8 with shape'),
    ],
)
def test_unfit_image_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        DenseCRF().refine(torch.rand(2, 3, 4), image, None)


@pytest.mark.parametrize(
    'options', [dict(gt_prob=1), dict(gt_prob=0), dict(iterations=0), dict(bilateral_rgb=0)]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        DenseCRF(**options)


def test_missing_package_names_the_install_line(monkeypatch):
    real_import = builtins.__import__

    def without_crf(name, *args, **kwargs):
        if name.startswith('pydensecrf'):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without_crf)
    with pytest.raises(ImportError, match='pip install pydensecrf2'):
        DenseCRF()
