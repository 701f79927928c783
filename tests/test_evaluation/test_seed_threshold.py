import cv2
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmwsss.evaluation import SeedThresholdWithoutMasks, exponent_of, foreground_shares
from mmwsss.pseudo_labels.backgrounds import power_background
from mmwsss.structures import UserInputError


def two_levels(low, high, share):
    """A map of 100 pixels with two heights."""
    pixels = torch.full((10, 10), low)
    pixels[: int(10 * share)] = high
    return pixels


def evaluate(samples, **options):
    metric = SeedThresholdWithoutMasks(**options)
    metric.process({}, samples)
    return metric.evaluate(size=len(samples))


def test_shares_and_variances_by_hand():
    peak = torch.tensor([[0.0, 0.2, 0.6, 1.0]])
    shares, variances = foreground_shares(peak, torch.tensor([0.1, 0.5, 0.9]))
    assert_close(shares, torch.tensor([0.75, 0.5, 0.25]).double())
    expected = [
        0.75 * 0.25 * (1.8 / 3 - 0) ** 2,
        0.5 * 0.5 * (0.8 - 0.1) ** 2,
        0.25 * 0.75 * (1 - 0.8 / 3) ** 2,
    ]
    assert_close(variances, torch.tensor(expected).double())


def test_a_threshold_that_separates_nothing_has_no_variance():
    shares, variances = foreground_shares(torch.full((2, 2), 0.5), torch.tensor([0.2, 0.5, 0.8]))
    assert shares.tolist() == [1, 0, 0]  # a height at the threshold is background
    assert variances.tolist() == [0, 0, 0]


def test_the_threshold_is_that_of_opencv():
    rng = np.random.default_rng(0)
    heights = np.concatenate([rng.normal(60, 15, 4000), rng.normal(170, 30, 2500)])
    image = heights.clip(0, 255).astype(np.uint8).reshape(65, 100)
    expected, _ = cv2.threshold(image, 0, 255, cv2.THRESH_OTSU)
    _, variances = foreground_shares(torch.from_numpy(image).float(), torch.arange(255).double())
    assert int(variances.argmax()) == expected


def test_images_decide_together_and_those_without_a_class_do_not():
    clear = dict(cams=two_levels(0.1, 0.9, 0.5)[None], cam_label=torch.tensor([0]))
    faint = dict(cams=two_levels(0.1, 0.3, 0.5)[None], cam_label=torch.tensor([0]))
    empty = dict(cams=torch.zeros(0, 10, 10), cam_label=torch.zeros(0, dtype=torch.long))
    found = evaluate([clear, faint, empty])
    # Only thresholds from 0.1 to below 0.3 separate both; the first of them is 0.10 or 0.11.
    assert 0.1 <= found['seed/threshold'] < 0.3
    assert found['seed/foreground'] == pytest.approx(50)
    assert found['seed/images'] == 2
    assert evaluate([clear, faint])['seed/threshold'] == found['seed/threshold']


def test_maps_are_compared_on_the_scale_of_the_labels():
    strong, weak = two_levels(0.0, 0.9, 0.5), two_levels(0.0, 0.1, 0.2)
    sample = dict(cams=torch.stack([strong, weak]), cam_label=torch.tensor([1, 4]))
    assert evaluate([sample])['seed/foreground'] == pytest.approx(50)
    halved = dict(sample, cams=sample['cams'] * torch.tensor([0.5, 0.1])[:, None, None])
    normalised = evaluate([halved], normalize=dict(type='MaxNormalize'))
    assert normalised == evaluate([sample], normalize=dict(type='MaxNormalize'))


def test_the_exponent_gives_the_seeds_of_the_threshold():
    peak = torch.linspace(0, 1, 1001).double()[None]
    for threshold in (0.05, 0.31, 0.5, 0.77):
        background = power_background(peak[None], alpha=exponent_of(threshold))[0]
        assert torch.equal(peak > background, peak > threshold)
    assert exponent_of(0.5) == pytest.approx(1)


def test_a_split_without_classes_is_refused():
    empty = dict(cams=torch.zeros(0, 4, 4), cam_label=torch.zeros(0, dtype=torch.long))
    with pytest.raises(UserInputError, match='none of the 2 images has a class'):
        evaluate([empty, empty])


@pytest.mark.parametrize(
    'peak', [torch.zeros(4, 4), two_levels(2.0, 5.0, 0.5), torch.full((4, 4), torch.nan)]
)
def test_maps_without_a_threshold_are_refused(peak):
    sample = dict(cams=peak[None], cam_label=torch.tensor([0]))
    with pytest.raises(UserInputError, match=r'no threshold between .* give the generator'):
        evaluate([sample])


def test_a_normalizer_that_needs_boxes_is_refused():
    with pytest.raises(ValueError, match='BoxNormalize needs gt_instances'):
        SeedThresholdWithoutMasks(normalize=dict(type='BoxNormalize'))


def ranks_choose(rank):
    samples = [
        dict(cams=two_levels(0.1, high, 0.5)[None], cam_label=torch.tensor([0]))
        for high in (0.9, 0.3, 0.7, 0.8)
    ]
    metric = SeedThresholdWithoutMasks(collect_device='cpu')
    metric.process({}, samples[rank::2])
    return metric.evaluate(size=4)


def test_two_ranks_choose_together(on_two_ranks):
    first, second = on_two_ranks(ranks_choose)
    assert first == second
    assert first['seed/images'] == 4
