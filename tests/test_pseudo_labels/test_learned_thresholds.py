"""Labels from the thresholds that a classifier predicts."""

import math

import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.cams import MultiScaleCAM, activation_maps, resized_mean
from mmwsss.pseudo_labels import LearnedThreshold, LearnedThresholdPlanes, PseudoLabelGenerator
from mmwsss.pseudo_labels.backgrounds import winner_threshold
from mmwsss.pseudo_labels.learned_thresholds import (
    convert_threshold,
    probability_planes,
    threshold_planes,
    winner_normalize,
)

PLANES = dict(type='LearnedThresholdPlanes', rule='published')
ZERO = dict(type='ConstantBackground', threshold=0)


def sample_of(cams, classes, threshold_logit, log_temperature):
    sample = SegDataSample()
    sample.cams, sample.cam_label = cams, torch.as_tensor(classes)
    sample.threshold_logit = torch.as_tensor(threshold_logit)
    sample.log_temperature = torch.as_tensor(log_temperature)
    return sample


def label_of(sample, *, normalize=PLANES, background=ZERO, refiners=()):
    generator = PseudoLabelGenerator(
        normalize=normalize, labels=dict(seed=dict(background=background, refiners=list(refiners)))
    )
    image = np.zeros((*sample.cams.shape[1:], 3), dtype=np.uint8)
    return generator.generate(sample, image)['seed']


@pytest.fixture
def oracle_cases(oracle):
    """Arrays of every reference image, its sample as predicted and its number of views."""
    values = oracle('sbce_threshold_rule')

    def load(index):
        prefix = f'i{index}_'
        case = {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
        sample = sample_of(
            torch.from_numpy(case['s']),
            case['classes'],
            torch.from_numpy(case['t']).double().logit(),
            torch.from_numpy(values['temperature_log']).double(),
        )
        return case, sample, int(values['n_views'])

    return [load(index) for index in range(int(values['n_images']))]


def views_of(case, num_views):
    """The views of a case as a classifier predicts them."""
    size = tuple(case['image_size'].tolist())
    for i in range(num_views):
        z, tau = (torch.from_numpy(case[f'view{i}_{name}']) for name in ('z', 'tau'))
        z = z[case['classes']].flip(-1) if i % 2 else z[case['classes']]
        sample = SegDataSample()
        sample.cams = activation_maps(z, size, rectify='never')
        sample.pred_score = torch.zeros(len(tau))
        sample.threshold_logit = resized_mean(tau, size)
        yield sample


def test_views_merge_to_the_probabilities_and_thresholds_of_the_oracle(oracle_cases):
    for values, _, num_views in oracle_cases:
        model = MultiScaleCAM(dict(type='StoredCAMs', folder=''), merge='mean_sigmoid')
        (merged,) = model.merge_preds([tuple(views_of(values, num_views))])
        np.testing.assert_allclose(merged.cams.numpy(), values['s'], rtol=0, atol=5e-6)
        found = merged.threshold_logit.sigmoid().numpy()
        np.testing.assert_allclose(found, values['t'], rtol=0, atol=5e-6)


def test_planes_and_label_match_the_oracle(oracle_cases):
    for values, sample, _ in oracle_cases:
        classes = torch.as_tensor(values['classes'])
        norm = winner_normalize(sample.cams)
        np.testing.assert_allclose(norm.numpy(), values['norm'], rtol=0, atol=5e-6)
        thresholds = convert_threshold(
            sample.threshold_logit[classes], sample.log_temperature[classes]
        )
        np.testing.assert_allclose(thresholds.numpy(), values['t_prime'], rtol=0, atol=5e-6)
        planes = LearnedThresholdPlanes('published').normalize(sample.cams, sample)
        np.testing.assert_allclose(planes.numpy(), values['planes'], rtol=0, atol=5e-6)
        assert (label_of(sample) != values['label_map']).mean() <= 5e-4


def test_the_whole_chain_from_the_views_gives_the_label_of_the_oracle(oracle_cases):
    for values, sample, num_views in oracle_cases:
        model = MultiScaleCAM(dict(type='StoredCAMs', folder=''), merge='mean_sigmoid')
        (merged,) = model.merge_preds([tuple(views_of(values, num_views))])
        merged.cam_label = sample.cam_label
        merged.log_temperature = sample.log_temperature
        assert (label_of(merged) != values['label_map']).mean() <= 5e-4


def test_a_converted_threshold_is_the_same_threshold_without_temperature():
    t, scale = torch.tensor([0.3, 0.5, 0.9]), torch.tensor([10.0, 10.0, 2.0])
    converted = convert_threshold(t.logit(), scale.log())
    assert_close((scale * converted.logit()).sigmoid(), t)
    assert converted[1] == 0.5
    assert_close(converted[2], torch.tensor(0.75))  # odds 9 -> odds 3


def test_thresholds_far_out_stay_numbers():
    converted = convert_threshold(torch.tensor([5e4, -5e4]), torch.tensor([2.0, 2.0]))
    assert converted.tolist() == [1, 0]


def test_each_pixel_is_kept_for_its_best_class_and_ties_for_both():
    maps = torch.tensor([[[0.5, 0.2, 0.25]], [[0.1, 0.4, 0.25]]])
    norm = winner_normalize(maps)
    assert_close(norm, torch.tensor([[[1, 0, 0.5]], [[0, 1, 0.625]]]))


def test_a_class_that_wins_no_pixel_is_zero():
    assert winner_normalize(torch.tensor([[[0.5]], [[0.1]]]))[1].item() == 0
    assert winner_normalize(torch.zeros(2, 1, 3)).tolist() == [[[0, 0, 0]]] * 2


def test_planes_are_what_exceeds_the_threshold():
    planes = threshold_planes(torch.tensor([[[0.75, 0.25, 0.5]]]), torch.tensor([0.5]))
    assert planes.tolist() == [[[0.25, -1, -1]]]


def test_probabilities_have_their_temperature_again_in_the_rule_of_the_paper():
    maps = torch.tensor([0.2, 0.0, -1.0]).sigmoid().view(1, 1, 3)
    planes = probability_planes(maps, torch.tensor([0.0]), torch.tensor([math.log(10)]))
    expected = torch.tensor([2.0, 0.0, -10.0]).sigmoid().view(1, 1, 3) - 0.5
    assert_close(planes, expected, rtol=0, atol=1e-6)


def test_saturated_probabilities_stay_numbers():
    planes = probability_planes(
        torch.tensor([[[1.0, 0.0]]]), torch.tensor([0.0]), torch.tensor([2.0])
    )
    assert planes.tolist() == [[[0.5, -0.5]]]


def test_without_class_there_is_no_plane():
    empty = torch.zeros(0)
    assert winner_normalize(torch.zeros(0, 2, 3)).shape == (0, 2, 3)
    assert threshold_planes(torch.zeros(0, 2, 3), empty).shape == (0, 2, 3)
    assert probability_planes(torch.zeros(0, 2, 3), empty, empty).shape == (0, 2, 3)
    assert winner_threshold(torch.zeros(0, 2, 3), empty).tolist() == [[[1] * 3] * 2]


@pytest.mark.parametrize('rule', ['paper', 'published'])
@pytest.mark.parametrize('background', [ZERO, dict(type='LearnedThreshold')])
def test_an_image_without_class_is_background(rule, background):
    sample = sample_of(torch.zeros(0, 2, 3), torch.zeros(0, dtype=torch.long), [0.0], [0.0])
    normalize = dict(type='LearnedThresholdPlanes', rule=rule)
    label = label_of(sample, normalize=normalize, background=background)
    assert label.tolist() == [[0] * 3] * 2


def test_the_rule_of_the_paper_labels_what_the_network_finds_probable():
    logits = torch.tensor([[[0.1, -0.1, 0.3]], [[-0.2, -0.3, 0.4]]])
    sample = sample_of(logits.sigmoid(), [1, 3], [9.0, 0.0, 9.0, 3.5], [0.0, math.log(10)] * 2)
    # exp(T) z of class 1: 1, -1, 3 against 0; of class 3: 4 against 3.5 at the last pixel, but
    # there class 1 lies further above its threshold.
    label = label_of(sample, normalize=dict(type='LearnedThresholdPlanes'))
    assert label.tolist() == [[2, 0, 2]]


def test_thresholds_are_those_of_the_classes_of_the_maps():
    cams = torch.tensor([[[0.6, 0.2]], [[0.3, 0.4]]])
    logits = torch.logit(torch.tensor([0.99, 0.5, 0.99, 0.45]))
    sample = sample_of(cams, [1, 3], logits, torch.zeros(4))
    background = LearnedThreshold().background(cams, sample)
    assert_close(background, torch.tensor([[[0.5, 0.45]]]))
    label = label_of(sample, normalize=None, background=dict(type='LearnedThreshold'))
    assert label.tolist() == [[2, 0]]


def test_a_class_is_kept_exactly_where_its_map_exceeds_its_threshold(rng):
    cams = torch.rand(3, 6, 7, generator=rng)
    logits = torch.randn(5, generator=rng)
    sample = sample_of(cams, [0, 2, 4], logits, torch.full((5,), 0.5))
    label = label_of(sample, normalize=None, background=dict(type='LearnedThreshold'))
    thresholds = convert_threshold(logits, torch.full((5,), 0.5))[[0, 2, 4]].tolist()
    for (y, x), value in np.ndenumerate(label):
        best = max(range(3), key=lambda i, y=y, x=x: cams[i, y, x].item())
        assert value == ([1, 3, 5][best] if cams[best, y, x] > thresholds[best] else 0)


@pytest.mark.parametrize('value', [-0.1, 1.5])
def test_maps_that_are_no_probabilities_are_refused(value):
    sample = sample_of(torch.full((1, 2, 2), value), [0], [0.0], [0.0])
    with pytest.raises(ValueError, match=r"Planes expects prob.*merge='mean_sigmoid'"):
        label_of(sample)
    with pytest.raises(ValueError, match=r"Threshold expects prob.*merge='mean_sigmoid'"):
        label_of(sample, normalize=None, background=dict(type='LearnedThreshold'))


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="'paper' or 'published', got 'official'"):
        LearnedThresholdPlanes('official')


def test_a_classifier_without_thresholds_is_named_before_any_label():
    sample = sample_of(torch.zeros(1, 2, 2), [0], [0.0], [0.0])
    del sample.threshold_logit
    with pytest.raises(ValueError, match=r"lacks \['threshold_logit'\]"):
        label_of(sample)


@pytest.mark.parametrize('value', [0.9, 0.01])
def test_a_crf_from_hard_labels_does_not_divide_by_a_single_label(value):
    pytest.importorskip('pydensecrf')
    crf = dict(type='DenseCRF', gt_prob=0.7, bilateral_xy=40, bilateral_rgb=5, iterations=2)
    sample = sample_of(torch.full((1, 4, 5), value), [0], [0.0], [0.0])
    label = label_of(sample, normalize=dict(type='LearnedThresholdPlanes'), refiners=[crf])
    assert set(label.flat) == {int(value > 0.5)}
