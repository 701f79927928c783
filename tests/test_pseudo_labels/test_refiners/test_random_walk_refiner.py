import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn
from torch.testing import assert_close

from mmwsss.affinity import random_walk, stencil_affinities, stencil_mask
from mmwsss.pseudo_labels import PseudoLabelGenerator, RandomWalk
from mmwsss.pseudo_labels.refiners.random_walk import to_grid
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError, from_grid, seg_map_from_scores

BETA_STEPS = dict(beta=8, log_steps=8)


@MODELS.register_module()
class ColorAffinity(BaseModel):
    """Compares the mean colours of 4 x 4 blocks, times a weight that a checkpoint holds."""

    built = 0

    def __init__(self, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.weight = nn.Parameter(torch.ones(1))
        self.radius = 3
        self.seen = []
        ColorAffinity.built += 1

    def affinities(self, images):
        self.seen.append(images)
        return stencil_affinities(self.weight * F.avg_pool2d(images, 4), radius=self.radius)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.affinities(inputs)


@MODELS.register_module()
class GivenAffinities(BaseModel):
    """Returns the affinities that its checkpoint holds, for one image and radius 5."""

    def __init__(self, shape, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.register_buffer('maps', torch.zeros(shape))
        self.radius = 5

    def affinities(self, images):
        return self.maps

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.maps


@pytest.fixture
def walk(walk_over):
    """Refiner over the colour network, with a checkpoint."""

    def make(**options):
        network = dict(type='ColorAffinity')
        weight = torch.full((1,), 3.0)
        return walk_over(RandomWalk, network, {'stride': 4, **options}, weight=weight)

    return make


@pytest.fixture
def given_walk(walk_over):
    """Refiner over given affinities, of stride 8."""

    def make(maps, **options):
        network = dict(type='GivenAffinities', shape=tuple(maps.shape))
        return walk_over(RandomWalk, network, options, maps=maps)

    return make


# Grid


def test_padded_pixels_count_as_zeros_in_the_means_of_blocks():
    expected = torch.tensor([[[1.0, 0.5], [0.5, 0.25]]])
    assert_close(to_grid(torch.ones(1, 3, 3), 2), expected)


@pytest.mark.parametrize('size', [(16, 24), (17, 23), (5, 3), (1, 1)])
def test_the_grid_covers_the_image_and_leads_back_to_its_size(rng, size):
    grid = to_grid(torch.rand(2, *size, generator=rng), 8)
    assert grid.shape == (2, -(-size[0] // 8), -(-size[1] // 8))
    assert from_grid(grid, 8, size).shape == (2, *size)


# Oracle


@pytest.fixture(params=['c0', 'c1'])
def case(request, oracle):
    """Reference values, scores (1+n, H, W) of the present rows and affinities (1, 34, h, w)."""
    values = oracle('psa_random_walk')
    case = {k[3:]: torch.from_numpy(v) for k, v in values.items() if k.startswith(request.param)}
    cam = case['cam']
    background = (1 - cam.amax(dim=0, keepdim=True)) ** int(values['alpha'])
    size = tuple(case['map_size'].tolist())
    maps = torch.zeros(1, len(case['aff']), *size)
    maps[0, stencil_mask(size, radius=5, official_border=True)] = case['aff'].flatten()
    return case, torch.cat([background, cam]), maps


def test_start_scores_match_the_oracle(case):
    values, scores, maps = case
    rows = [0, *(values['class_ids'] + 1).tolist()]
    expected = values['M'].view(-1, *maps.shape[2:])[rows]
    assert_close(to_grid(scores, 8), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize('official_border', [False, True])
def test_labels_match_the_oracle_where_they_are_sure(case, given_walk, official_border):
    values, scores, maps = case
    image = np.zeros((*scores.shape[1:], 3), dtype=np.uint8)
    refined = given_walk(maps, official_border=official_border).refine(scores, image, None)
    label = seg_map_from_scores(refined, values['class_ids'])
    sure = values['label_sure'].bool()
    assert sure.float().mean() > 0.9
    assert torch.equal(label[sure], values['label'][sure])


# Network


def test_the_network_sees_the_normalised_image_padded_with_the_mean_colour(
    random_inputs, normalized, walk
):
    scores, image = random_inputs()
    refiner = walk()
    refiner.refine(scores, image, None)
    (seen,) = refiner._loaded.seen
    assert seen.shape == (1, 3, 16, 20)
    expected = normalized(image)
    assert_close(seen[0, :, :14, :19], expected)
    assert not seen[..., 14:, :].any()
    assert not seen[..., 19:].any()


def test_refining_is_pooling_walking_and_enlarging(random_inputs, walk):
    scores, image = random_inputs()
    refiner = walk(beta=2, log_steps=3)
    refined = refiner.refine(scores, image, None)
    affinities = stencil_affinities(3 * F.avg_pool2d(refiner._loaded.seen[0], 4), radius=3)
    walked = random_walk(to_grid(scores, 4)[None], affinities, radius=3, beta=2, log_steps=3)
    assert_close(refined, from_grid(walked[0], 4, (14, 19)), rtol=0, atol=1e-6)


def test_the_official_border_leaves_pairs_out(rng, random_inputs, given_walk):
    maps = torch.rand(1, 34, 7, 11, generator=rng)
    scores, image = random_inputs(size=(56, 88))
    start = to_grid(scores, 8)[None]
    mask = stencil_mask((7, 11), radius=5, official_border=True)
    for official_border, read in ((False, maps), (True, maps * mask)):
        refined = given_walk(maps, official_border=official_border).refine(scores, image, None)
        walked = random_walk(start, read, radius=5, **BETA_STEPS)
        assert_close(refined, from_grid(walked[0], 8, (56, 88)), rtol=0, atol=1e-6)


def test_the_network_is_built_once_and_only_when_it_is_used(random_inputs, walk):
    before = ColorAffinity.built
    refiner = walk()
    assert ColorAffinity.built == before
    refined = [refiner.refine(*random_inputs(), None) for _ in range(3)]
    assert ColorAffinity.built == before + 1
    assert not refiner._loaded.training
    assert not any(scores.requires_grad for scores in refined)


def test_a_real_affinity_network_refines(random_inputs, tmp_path):
    network = Config.fromfile('configs/demo/psa-affinity_resnet18_shapes-96x96.py').model
    model = MODELS.build(network)
    model.init_weights()
    checkpoint = tmp_path / 'affinity.pth'
    torch.save({'state_dict': model.state_dict()}, checkpoint)
    scores, image = random_inputs(size=(33, 42))
    refined = RandomWalk(network, str(checkpoint), stride=4).refine(scores, image, None)
    assert refined.shape == scores.shape
    assert refined.isfinite().all()
    assert refined.std() < scores.std()


# Edges


def test_background_alone_is_returned_without_the_network(random_inputs):
    scores, image = random_inputs(rows=1)
    refiner = RandomWalk(dict(type='ColorAffinity'), None)
    assert refiner.refine(scores, image, None) is scores


@pytest.mark.parametrize('size', [(1, 1), (3, 2), (4, 4), (5, 70)])
def test_images_of_few_cells_are_refined(random_inputs, walk, size):
    scores, image = random_inputs(size=size)
    refined = walk().refine(scores, image, None)
    assert refined.shape == scores.shape
    assert refined.isfinite().all()


def test_a_class_without_any_score_keeps_none(random_inputs, walk):
    scores, image = random_inputs()
    scores[1:] = 0
    assert not walk().refine(scores, image, None)[1:].any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.uint8, torch.float64])
def test_scores_of_other_types_are_refined(random_inputs, walk, dtype):
    scores, image = random_inputs()
    scores = (3 * scores).to(dtype)
    expected = walk().refine(scores.float(), image, None)
    assert_close(walk().refine(scores, image, None).float(), expected, rtol=5e-5, atol=0)


def test_a_chain_of_walk_and_box_constraint_labels_within_the_boxes(walk, random_sample):
    walk_config = {'type': 'RandomWalk', 'stride': 4}
    made = walk()
    walk_config |= dict(network=made.network, checkpoint=made.checkpoint)
    generator = PseudoLabelGenerator(
        normalize=dict(type='BoxNormalize'),
        labels=dict(
            walk=dict(
                background=dict(type='ConstantBackground', threshold=0.01),
                refiners=[walk_config, dict(type='BoxConstraint')],
            )
        ),
    )
    assert generator.files == (made.checkpoint,)
    assert generator.requires == {'gt_instances'}
    image = np.zeros((20, 24, 3), dtype=np.uint8)
    label = generator.generate(random_sample([[4, 3, 17, 15]], [6]), image)['walk']
    assert (label[3:15, 4:17] == 7).any()
    label[3:15, 4:17] = 0
    assert not label.any()


# Mistakes


def test_without_a_checkpoint_the_first_image_says_what_to_do(random_inputs):
    refiner = RandomWalk(dict(type='ColorAffinity'), None)
    assert refiner.files == ()
    with pytest.raises(UserInputError, match='checkpoint is not set'):
        refiner.refine(*random_inputs(), None)


@pytest.mark.parametrize('network', [dict(type='AffinityNetwrk'), dict(backbone=dict())])
def test_a_network_of_an_unknown_type_is_refused_when_it_is_built(network):
    with pytest.raises(UserInputError, match=r'network\.type = .* is not a registered model'):
        RandomWalk(network, None)


def test_a_checkpoint_that_does_not_exist_is_named(random_inputs, tmp_path):
    refiner = RandomWalk(dict(type='ColorAffinity'), str(tmp_path / 'gone.pth'), stride=4)
    with pytest.raises(UserInputError, match=r'gone\.pth does not exist'):
        refiner.refine(*random_inputs(), None)


def test_a_checkpoint_of_another_network_is_refused(random_inputs, save):
    checkpoint = save(scale=torch.ones(1))
    refiner = RandomWalk(dict(type='ColorAffinity'), checkpoint, stride=4)
    with pytest.raises(UserInputError, match=r'scale\.pth does not fit the model ColorAffinity'):
        refiner.refine(*random_inputs(), None)


def test_a_stride_that_is_not_the_networks_is_refused(random_inputs, walk):
    with pytest.raises(UserInputError, match=r'stride=8 makes a grid of \(2, 3\).*are \(4, 6\)'):
        walk(stride=8).refine(*random_inputs(), None)


def test_scores_that_are_no_numbers_are_refused(random_inputs, walk):
    scores, image = random_inputs()
    scores[1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match='must be finite'):
        walk().refine(scores, image, None)


@pytest.mark.parametrize('options', [dict(beta=0), dict(log_steps=-1), dict(stride=0)])
def test_options_out_of_range_are_refused_when_it_is_built(options):
    with pytest.raises(ValueError, match='must be'):
        RandomWalk(dict(type='ColorAffinity'), None, **options)
