import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch.testing import assert_close

from mmwsss.affinity import boundary_affinities, random_walk
from mmwsss.pseudo_labels import BoundaryWalk, PseudoLabelGenerator
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError, from_grid, seg_map_from_scores

PAPER = dict(radius=5, beta=10, log_steps=8)


@MODELS.register_module()
class GivenBoundaries(BaseModel):
    """Returns the logits that its checkpoint holds, for an image and its mirror image."""

    def __init__(self, shape, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.register_buffer('logits', torch.zeros(shape))
        self.seen = []

    def boundary_logits(self, images):
        self.seen.append(images)
        return self.logits

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.logits


@MODELS.register_module()
class BrightBoundaries(BaseModel):
    """Finds boundaries where an image is bright, on a grid of 4 x 4 pixels."""

    def __init__(self, gain=3.0, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.gain = torch.nn.Parameter(torch.tensor([gain]))
        self.seen = []

    def boundary_logits(self, images):
        self.seen.append(images)
        return self.gain * F.avg_pool2d(images.mean(dim=1, keepdim=True), 4)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.boundary_logits(inputs)


@pytest.fixture
def walk(walk_over):
    """Refiner over boundaries at bright cells."""

    def make(**options):
        network = dict(type='BrightBoundaries')
        gain = torch.full((1,), 3.0)
        return walk_over(BoundaryWalk, network, {'min_size': 32, **options}, gain=gain)

    return make


@pytest.fixture
def given_walk(walk_over):
    """Refiner over given boundaries."""

    def make(logits, **options):
        network = dict(type='GivenBoundaries', shape=tuple(logits.shape))
        return walk_over(BoundaryWalk, network, options, logits=logits)

    return make


def black(size):
    return np.zeros((*size, 3), dtype=np.uint8)


# Oracle


@pytest.fixture(params=range(5))
def case(request, cases_of, oracle):
    """Reference values of one image."""
    values = oracle('irn_random_walk')
    assert {
        name: int(values[key])
        for name, key in zip(PAPER, ('radius', 'beta', 'exp_times'), strict=True)
    } == PAPER
    return cases_of('irn_random_walk')[request.param]


def pixels_of(cam, size):
    """Scores (n, H, W) whose means over the cells are the maps (n, h, w)."""
    repeated = cam.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
    return repeated[:, : size[0], : size[1]]


def test_boundaries_match_the_oracle(case, given_walk):
    size = tuple(case['image_size'].tolist())
    refiner = given_walk(case['edge_logits'], min_size=96)
    edge = refiner.boundaries(refiner.loaded_network(torch.device('cpu')), black(size))
    assert_close(edge[0, 0], case['edge'], rtol=0, atol=1e-6)
    affinities = boundary_affinities(edge, radius=5)[0]
    assert_close(affinities, case['aff'], rtol=0, atol=1e-6)


def test_walks_match_the_oracle(case):
    edge, start = case['edge'][None, None], case['cam'][None]
    affinities = boundary_affinities(edge, radius=5)
    walked = random_walk(start * (1 - edge), affinities, **PAPER)[0]
    assert_close(walked, case['rw'], rtol=0, atol=5e-5)
    assert_close(walked.double(), case['rw64'], rtol=0, atol=5e-5)
    edge, start = edge.double(), start.double()
    walked = random_walk(start * (1 - edge), boundary_affinities(edge, radius=5), **PAPER)[0]
    assert_close(walked, case['rw64'], rtol=0, atol=1e-10)


def test_labels_match_the_oracle_where_they_are_sure(case, given_walk):
    size = tuple(case['image_size'].tolist())
    cams = pixels_of(case['cam'], size)
    scores = torch.cat([torch.full((1, *size), 0.25), cams])
    refined = given_walk(case['edge_logits'], min_size=96).refine(scores, black(size), None)
    expected = from_grid(case['rw'], 4, size)
    assert_close(refined[1:], expected / expected.amax(), rtol=0, atol=5e-4)
    label = seg_map_from_scores(refined, case['class_ids'])
    sure = case['label_sure'].bool()
    assert sure.float().mean() > 0.9
    assert torch.equal(label[sure], case['label'][sure])


# What the network sees


@pytest.mark.parametrize(
    ('size', 'min_size', 'padded'),
    [
        ((14, 19), 32, (32, 32)),
        ((33, 19), 32, (48, 32)),
        ((14, 19), 1, (16, 32)),
        ((9, 70), 40, (48, 80)),
    ],
)
def test_an_image_and_its_mirror_image_are_padded_and_never_cut(
    random_inputs, normalized, walk, size, min_size, padded
):
    scores, image = random_inputs(size=size)
    refiner = walk(min_size=min_size)
    assert refiner.refine(scores, image, None).shape == scores.shape
    (seen,) = refiner._loaded.seen
    assert seen.shape == (2, 3, *padded)
    expected = normalized(image)
    height, width = size
    assert_close(seen[0, :, :height, :width], expected)
    assert_close(seen[1, :, :height, :width], expected.flip(2))
    assert not seen[..., height:, :].any()
    assert not seen[..., width:].any()


def test_refining_is_gating_walking_enlarging_and_one_maximum(random_inputs, walk):
    scores, image = random_inputs()
    refiner = walk(radius=3, beta=2, log_steps=3)
    refined = refiner.refine(scores, image, None)
    edge = refiner.boundaries(refiner._loaded, image)
    assert edge.shape == (1, 1, 4, 5)
    means = torch.stack(
        [
            torch.stack(
                [scores[1:, y : y + 4, x : x + 4].mean(dim=(1, 2)) for x in range(0, 19, 4)]
            )
            for y in range(0, 14, 4)
        ]
    ).permute(2, 0, 1)
    walked = random_walk(
        (means * (1 - edge[0]))[None],
        boundary_affinities(edge, radius=3),
        radius=3,
        beta=2,
        log_steps=3,
    )
    expected = from_grid(walked[0], 4, (14, 19))
    assert_close(refined[1:], expected / expected.amax(), rtol=0, atol=1e-6)
    assert refined[1:].amax() == 1


def test_the_background_does_not_walk(random_inputs, walk):
    scores, image = random_inputs()
    assert_close(walk().refine(scores, image, None)[0], scores[0], rtol=0, atol=0)


def test_scores_end_at_a_boundary(given_walk):
    logits = torch.full((2, 1, 8, 8), -20.0)
    logits[:, :, :, 3:5] = 20.0  # the same in the mirror image
    scores = torch.zeros(3, 32, 32)
    scores[1, :, :8], scores[2, :, 24:] = 0.8, 0.4
    refined = given_walk(logits, min_size=32).refine(scores, black((32, 32)), None)
    assert_close(refined[1, :, :8], torch.ones(32, 8), rtol=0, atol=1e-4)
    assert not refined[1, :, 20:].any()
    assert_close(refined[2, :, 24:], torch.full((32, 8), 0.5), rtol=0, atol=1e-4)


# Edges


def test_background_alone_is_returned_without_the_network(random_inputs):
    scores, image = random_inputs(rows=1)
    refiner = BoundaryWalk(dict(type='BrightBoundaries'), None)
    assert refiner.refine(scores, image, None) is scores


@pytest.mark.parametrize('size', [(1, 1), (3, 2), (1, 70), (5, 4)])
def test_images_of_few_cells_are_refined(random_inputs, walk, size):
    scores, image = random_inputs(size=size)
    refined = walk().refine(scores, image, None)
    assert refined.shape == scores.shape
    assert refined.isfinite().all()


@pytest.mark.parametrize('logit', [0.0, 200.0], ids=['maps of zeros', 'boundaries everywhere'])
def test_without_any_score_left_all_is_background(given_walk, logit):
    scores = torch.full((3, 12, 9), 0.25)
    scores[1:] = float(logit > 0)
    refiner = given_walk(torch.full((2, 1, 4, 4), logit), min_size=16)
    refined = refiner.refine(scores, black((12, 9)), None)
    assert not refined[1:].any()
    assert not seg_map_from_scores(refined, torch.tensor([3, 7])).any()


def test_negative_scores_count_as_none(random_inputs, walk):
    scores, image = random_inputs()
    scores -= 0.5
    refined = walk().refine(scores, image, None)
    assert_close(refined[1:], walk().refine(scores.clamp_min(0), image, None)[1:])
    scores[1:] = -scores[1:].abs()
    assert not walk().refine(scores, image, None)[1:].any()


def test_an_image_larger_than_the_crop_of_the_training_is_whole(random_inputs, walk):
    scores, image = random_inputs(size=(530, 21))
    refiner = walk(min_size=512)
    assert refiner.refine(scores, image, None).isfinite().all()
    assert refiner._loaded.seen[0].shape[2:] == (544, 512)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float64])
def test_scores_of_other_types_are_refined(random_inputs, walk, dtype):
    scores, image = random_inputs()
    expected = walk().refine(scores.to(dtype).float(), image, None)
    assert_close(walk().refine(scores.to(dtype), image, None).float(), expected, rtol=0, atol=1e-4)


def test_a_chain_of_walk_and_box_constraint_keeps_scores(walk, random_sample):
    made = walk()
    config = dict(
        type='BoundaryWalk', min_size=32, network=made.network, checkpoint=made.checkpoint
    )
    generator = PseudoLabelGenerator(
        normalize=dict(type='BoxNormalize'),
        labels=dict(
            walk=dict(
                background=dict(type='ConstantBackground', threshold=0.25),
                refiners=[config, dict(type='BoxConstraint')],
            )
        ),
    )
    assert generator.files == (made.checkpoint,)
    label = generator.generate(random_sample([[4, 3, 17, 15]], [6]), black((20, 24)))['walk']
    assert (label[3:15, 4:17] == 7).any()
    label[3:15, 4:17] = 0
    assert not label.any()


def test_an_image_without_a_class_is_background(walk, random_sample):
    made = walk()
    config = dict(
        type='BoundaryWalk', min_size=32, network=made.network, checkpoint=made.checkpoint
    )
    background = dict(type='ConstantBackground', threshold=0.25)
    generator = PseudoLabelGenerator(
        labels=dict(walk=dict(background=background, refiners=[config]))
    )
    assert not generator.generate(random_sample([], []), black((20, 24)))['walk'].any()
    assert generator.counts['without_class'] == 1


# Mistakes


def test_scores_that_are_no_numbers_are_refused(random_inputs, walk):
    scores, image = random_inputs()
    scores[1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match='must be finite'):
        walk().refine(scores, image, None)


def test_a_stride_that_is_not_the_networks_is_refused(random_inputs, walk):
    with pytest.raises(UserInputError, match=r'stride=8 makes a grid of \(4, 4\).*is \(8, 8\)'):
        walk(stride=8).refine(*random_inputs(), None)


def test_a_network_without_boundaries_is_refused_when_it_is_built():
    with pytest.raises(UserInputError, match=r"'AffinityNetwork' is another kind of network.*Bou"):
        BoundaryWalk(dict(type='AffinityNetwork'), None)
    with pytest.raises(UserInputError, match=r"type = 'Boundary' is not a registered model"):
        BoundaryWalk(dict(type='Boundary'), None)


def test_messages_name_the_refiner(random_inputs):
    refiner = BoundaryWalk(dict(type='BrightBoundaries'), None)
    with pytest.raises(UserInputError, match='BoundaryWalk: checkpoint is not set'):
        refiner.refine(*random_inputs(), None)


@pytest.mark.parametrize(
    'options', [dict(beta=0), dict(log_steps=-1), dict(stride=0), dict(radius=1), dict(min_size=0)]
)
def test_options_out_of_range_are_refused_when_it_is_built(options):
    with pytest.raises(ValueError, match='must be'):
        BoundaryWalk(dict(type='BrightBoundaries'), None, **options)
