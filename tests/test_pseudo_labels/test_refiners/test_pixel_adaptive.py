import numpy as np
import pytest
import torch
from reference import pixel_adaptive as reference
from torch.testing import assert_close

from mmwsss.pseudo_labels.refiners.pixel_adaptive import (
    PixelAdaptiveRefinement,
    neighbour_weights,
    spread,
)
from mmwsss.registry import TASK_UTILS

KINDS = ('pamr', 'par')


@pytest.fixture(params=range(4))
def case(request, oracle):
    values, prefix = oracle('pamr'), f'c{request.param}_'
    return {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}


def random_image(size=(7, 9)):
    return np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)


def random_scores(rng, size=(7, 9), rows=3):
    return torch.rand(rows, *size, generator=rng)


def refined(scores, image, **options):
    return PixelAdaptiveRefinement(**options).refine(scores, image, None)


@pytest.mark.parametrize('kind', KINDS)
def test_published_results_are_met(case, kind):
    masks = torch.from_numpy(case['masks'])
    size = case['image'].shape[:2]
    # The published code enlarges masks that are smaller than the image.
    masks = torch.nn.functional.interpolate(masks[None], size, mode='bilinear', align_corners=True)
    options = dict(dilations=case['dilations'].tolist(), iterations=int(case['iterations']))
    result = refined(masks[0], case['image'], kind=kind, normalize=False, **options)
    assert_close(result, torch.from_numpy(case[kind]), atol=1e-5, rtol=0)


def test_published_weights_are_met(oracle):
    values = oracle('pamr')
    image = torch.from_numpy(values['c0_image']).permute(2, 0, 1) / 255
    weights = neighbour_weights(image, values['c0_dilations'].tolist(), 'pamr')
    assert_close(weights, torch.from_numpy(values['c0_pamr_kernel']), atol=1e-5, rtol=0)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('dilations', [(1,), (1, 3)])
def test_random_images_agree_with_the_loop(rng, kind, dilations):
    image, maps = random_image(), random_scores(rng).double()
    pixels = torch.from_numpy(image).permute(2, 0, 1).double() / 255
    weights = neighbour_weights(pixels, dilations, kind)
    expected = reference.weights(pixels.numpy(), list(dilations), kind)
    assert_close(weights, torch.from_numpy(expected))
    after = reference.refine(maps.numpy(), expected, list(dilations), 2)
    assert_close(spread(maps, weights, dilations, 2), torch.from_numpy(after))


def test_weights_sum_to_one_and_those_of_par_to_a_hundredth_more():
    image = torch.from_numpy(random_image()).permute(2, 0, 1) / 255
    for kind, total in (('pamr', 1.0), ('par', 1.01)):
        weights = neighbour_weights(image, (1, 2), kind)
        assert_close(weights.sum(dim=0), torch.full((7, 9), total))


def test_normalized_par_keeps_constant_scores_and_the_published_one_grows(rng):
    ones = torch.ones(2, 7, 9)
    assert_close(refined(ones, random_image(), kind='par'), ones)
    grown = refined(ones, random_image(), kind='par', normalize=False)
    assert_close(grown, ones * 1.01**10)


@pytest.mark.parametrize('kind', KINDS)
def test_scale_and_shift_of_a_channel_do_not_matter(kind):
    image = torch.from_numpy(random_image()).permute(2, 0, 1) / 255
    other = image * torch.tensor([1.0, 3.0, 0.2])[:, None, None] + 0.4
    weights = neighbour_weights(image, (1, 2), kind)
    assert_close(neighbour_weights(other, (1, 2), kind), weights, atol=1e-5, rtol=1e-3)


def test_single_pixel_has_no_weight_of_its_own():
    scores = torch.zeros(2, 5, 5)
    scores[1, 2, 2] = 1
    result = refined(scores, random_image((5, 5)), dilations=(1,), iterations=1)
    assert result[1, 2, 2] == 0
    assert result[1].sum() > 0


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('lone', [False, True])
def test_constant_image_gives_finite_scores(rng, kind, lone):
    image = np.full((7, 9, 3), 90, dtype=np.uint8)
    if lone:
        image[3, 4] = 200
    assert refined(random_scores(rng), image, kind=kind).isfinite().all()


def test_constant_image_weighs_all_neighbours_alike():
    weights = neighbour_weights(torch.full((3, 4, 5), 0.3), (1, 2), 'pamr')
    assert_close(weights, torch.full((16, 4, 5), 1 / 16))


@pytest.mark.parametrize('size', [(1, 1), (1, 6), (6, 1), (2, 3)])
@pytest.mark.parametrize('scale', [1.0, 0.5])
def test_images_smaller_than_a_dilation_work(rng, size, scale):
    result = refined(random_scores(rng, size), random_image(size), scale=scale)
    assert result.shape == (3, *size)
    assert result.isfinite().all()


def test_half_the_size_is_close_to_the_whole(rng):
    smooth = torch.nn.functional.interpolate(torch.rand(1, 2, 3, 3, generator=rng), (32, 40))[0]
    gradient = np.linspace(0, 255, 40, dtype=np.uint8)[None, :, None].repeat(32, 0).repeat(3, 2)
    whole, half = (refined(smooth, gradient, dilations=(1, 2), scale=s) for s in (1.0, 0.5))
    assert half.shape == whole.shape
    assert (half - whole).abs().mean() < 0.1


def test_background_alone_and_half_precision_keep_shape_and_type(rng):
    image = random_image()
    alone = torch.ones(1, 7, 9)
    assert refined(alone, image) is alone
    scores = random_scores(rng)
    half = refined(scores.half(), image)
    assert half.dtype == torch.float16
    assert_close(half.float(), refined(scores, image), atol=2e-3, rtol=0)


def test_autocast_does_not_change_the_result(rng):
    image, scores = random_image(), random_scores(rng)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        inside = refined(scores, image)
    assert torch.equal(inside, refined(scores, image))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(kind='crf'), "kind must be 'pamr' or 'par', got 'crf'"),
        (dict(dilations=()), 'dilations'),
        (dict(dilations=(0, 1)), 'dilations'),
        (dict(iterations=0), 'iterations'),
        (dict(scale=0), 'scale'),
        (dict(scale=1.5), 'scale'),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PixelAdaptiveRefinement(**options)


def test_an_image_that_may_not_be_written_to_is_taken(rng):
    image, scores = random_image(), random_scores(rng)
    expected = refined(scores, image)
    image.flags.writeable = False
    assert torch.equal(refined(scores, image), expected)


def test_is_registered_and_runs_on_the_device():
    part = TASK_UTILS.build(dict(type='PixelAdaptiveRefinement', kind='par', scale=0.5))
    assert not part.in_worker
    assert part.requires == ()
