"""Two labels from the same class maps with a weak and a strong background, as in AffinityNet."""

import pickle

import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample
from torch.testing import assert_close

pytest.importorskip('pydensecrf')

from mmwsss.cams import MultiScaleCAM, activation_maps
from mmwsss.pseudo_labels import PowerBackground, PseudoLabelGenerator
from mmwsss.pseudo_labels.refiners import dense_crf as module

CRF = dict(
    type='DenseCRF',
    bilateral_weight=10,
    bilateral_xy=80,
    bilateral_rgb=13,
    gaussian_weight=3,
    gaussian_xy=3,
)


def background(alpha):
    return dict(type='PowerBackground', alpha=alpha)


def sample_of(cams, classes):
    sample = SegDataSample()
    sample.cams, sample.cam_label = cams, torch.as_tensor(classes)
    return sample


def collect(generator, sample, image):
    """Run all jobs; return them with the final maps."""
    steps, jobs, result = generator.steps(sample, image), [], None
    while True:
        try:
            job = steps.send(result)
        except StopIteration as finished:
            return jobs, finished.value
        jobs.append(job)
        result = job()


@pytest.fixture
def photo(oracle):
    values = {k[3:]: v for k, v in oracle('psa_cam').items() if k.startswith('c0_')}
    return sample_of(torch.from_numpy(values['cam']), values['class_ids']), values['image']


@pytest.mark.parametrize('case', range(2))
def test_views_sum_to_the_class_maps_of_the_oracle(oracle, case):
    values = {k[3:]: v for k, v in oracle('psa_cam').items() if k.startswith(f'c{case}_')}
    size = values['image'].shape[:2]
    model = MultiScaleCAM(module=dict(type='StoredCAMs', folder=''))
    views = []
    for i in range(2 * len(oracle('psa_cam')['scales'])):
        view = torch.from_numpy(values[f'view{i}'])[values['class_ids']]
        view = view.flip(-1) if i % 2 else view
        sample = sample_of(activation_maps(view, size), values['class_ids'])
        sample.pred_score = torch.zeros(20)
        views.append(sample)
    (merged,) = model.merge_preds([tuple(views)])
    np.testing.assert_allclose(merged.cams.numpy(), values['cam'], rtol=0, atol=2e-6)


@pytest.mark.parametrize('case', range(2))
def test_both_backgrounds_and_crfs_match_the_oracle(oracle, case):
    alphas = oracle('psa_cam')['alphas'].tolist()
    values = {k[3:]: v for k, v in oracle('psa_cam').items() if k.startswith(f'c{case}_')}
    sample = sample_of(torch.from_numpy(values['cam']), values['class_ids'])
    for alpha, expected in zip(alphas, values['bg'], strict=True):
        found = PowerBackground(alpha).background(sample.cams, sample)[0]
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=5e-6)
    generator = PseudoLabelGenerator(
        labels={f'a{a}': dict(background=background(a), refiners=[CRF]) for a in alphas}
    )
    _, maps = collect(generator, sample, values['image'])
    for name, expected in zip(generator.names, (values['la'], values['ha']), strict=True):
        np.testing.assert_allclose(maps.scores[name].numpy(), expected, rtol=0, atol=1e-4)
    assert maps.classes.tolist() == values['class_ids'].tolist()


def test_neighbours_with_the_same_crf_are_one_job_with_the_results_of_two(photo):
    low = dict(background=background(4), refiners=[CRF])
    high = dict(background=background(32), refiners=[CRF])
    jobs, maps = collect(PseudoLabelGenerator(labels=dict(low=low, high=high)), *photo)
    assert [len(job.stacks) for job in jobs] == [2]
    for name, entry in dict(low=low, high=high).items():
        alone_jobs, alone = collect(PseudoLabelGenerator(labels={name: entry}), *photo)
        assert len(alone_jobs) == 1
        assert alone.scores[name].equal(maps.scores[name])
        assert np.array_equal(alone.labels[name], maps.labels[name])


def test_one_job_builds_one_lattice(photo):
    labels = {f'a{a}': dict(background=background(a), refiners=[CRF]) for a in (4, 16, 32)}
    job = next(PseudoLabelGenerator(labels=labels).steps(*photo))
    module._crf_of_image.cache_clear()
    pickle.loads(pickle.dumps(job))()
    assert module._crf_of_image.cache_info()[:2] == (2, 1)  # hits, misses


def test_what_follows_the_shared_refinement_is_each_labels_own(photo):
    labels = dict(
        low=dict(background=background(4), refiners=[CRF, dict(CRF, iterations=1)]),
        high=dict(background=background(32), refiners=[CRF]),
        low_again=dict(start='low', refiners=[CRF]),
    )
    jobs, maps = collect(PseudoLabelGenerator(labels=labels), *photo)
    assert [(len(job.stacks), job.refiner.iterations) for job in jobs] == [(2, 10), (1, 1), (1, 10)]
    first = jobs[0]()
    assert_close(maps.scores['high'], torch.from_numpy(first[1]), rtol=0, atol=0)
    assert np.array_equal(jobs[1].stacks[0], first[0])
    assert np.array_equal(jobs[2].stacks[0], maps.scores['low'].numpy())


@pytest.mark.parametrize(
    ('middle', 'sizes'),
    [
        (dict(background=background(8), refiners=[dict(CRF, iterations=5)]), [1, 1, 1]),
        (dict(background=background(8)), [1, 1]),  # breaks the row of neighbours
        (dict(start='low', refiners=[CRF]), [1, 1, 1]),  # needs the result of the first
        (dict(background=background(8), refiners=[CRF]), [3]),
    ],
)
def test_only_neighbours_with_the_same_start_and_crf_share_a_job(photo, middle, sizes):
    low = dict(background=background(4), refiners=[CRF])
    high = dict(background=background(32), refiners=[CRF])
    jobs, maps = collect(PseudoLabelGenerator(labels=dict(low=low, m=middle, high=high)), *photo)
    assert [len(job.stacks) for job in jobs] == sizes
    assert list(maps.labels) == list(maps.scores) == ['low', 'm', 'high']


def test_a_class_without_any_activation_is_background(photo):
    sample, image = photo
    sample.cams = torch.zeros_like(sample.cams)
    generator = PseudoLabelGenerator(
        normalize=dict(type='MaxNormalize'),
        labels=dict(low=dict(background=background(4), refiners=[CRF])),
    )
    _, maps = collect(generator, sample, image)
    assert not maps.labels['low'].any()
    assert maps.scores['low'][0].gt(0.99).all()


def test_an_image_without_a_class_has_certain_background_scores():
    labels = dict(low=dict(background=background(4), refiners=[CRF]))
    image = np.zeros((3, 4, 3), dtype=np.uint8)
    sample = sample_of(torch.zeros(0, 3, 4), torch.zeros(0, dtype=torch.long))
    jobs, maps = collect(PseudoLabelGenerator(labels=labels), sample, image)
    assert jobs == []
    assert maps.scores['low'].equal(torch.ones(1, 3, 4))
    assert maps.classes.shape == (0,)


def test_class_maps_that_are_no_numbers_stop_the_run(photo):
    sample, image = photo
    sample.cams[0, 1, 1] = torch.nan
    generator = PseudoLabelGenerator(
        labels={f'a{a}': dict(background=background(a), refiners=[CRF]) for a in (4, 32)}
    )
    with pytest.raises(ValueError, match='got NaN'):
        generator.generate(sample, image)
