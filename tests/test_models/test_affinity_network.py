import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.affinity import stencil_affinities, stencil_mask
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

CONFIG = dict(
    type='AffinityNetwork',
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        base_channels=4,
        stem_channels=4,
        num_stages=2,
        strides=(1, 1),
        dilations=(1, 1),
        out_indices=(0, 1),
        norm_cfg=dict(type='BN'),
    ),
    head=dict(type='AffinityHead', in_channels=(4, 8), channels=(3, 5)),
    radius=3,
)


def build(**options):
    torch.manual_seed(0)
    model = MODELS.build({**CONFIG, **options})
    model.init_weights()
    return model


def test_a_preprocessor_may_be_given_as_a_module():
    preprocessor = MODELS.build(dict(type='WeakSegDataPreProcessor'))
    model = build(data_preprocessor=preprocessor)
    assert model.data_preprocessor is preprocessor
    assert model.trained_with == dict(radius=3)


def affinity_sample(label):
    sample = SegDataSample()
    sample.affinity_label = PixelData(data=label[None])
    return sample


@pytest.fixture
def batch(rng):
    """Two images of 24 x 32 pixels, on a grid of 6 x 8 cells."""
    values = torch.tensor([0, 1, 2, 255], dtype=torch.uint8)
    labels = values[torch.randint(4, (2, 6, 8), generator=rng)]
    inputs = torch.randn(2, 3, 24, 32, generator=rng)
    return inputs, [affinity_sample(label) for label in labels]


def test_affinities_are_those_of_the_features_of_the_head(batch):
    model = build().eval()
    feats = model.head(model.backbone(batch[0]))
    expected = stencil_affinities(feats, radius=3)
    assert expected.shape == (2, 12, 6, 8)
    assert_close(model.affinities(batch[0]), expected)
    for mode in ('tensor', 'predict'):
        assert_close(model(*batch, mode=mode), expected)


def test_affinities_are_0_exactly_where_there_is_no_pair(batch):
    affinities = build().eval().affinities(batch[0])
    assert (affinities > 0).equal(stencil_mask((6, 8), radius=3).expand_as(affinities))


def test_the_loss_is_that_of_the_labels_of_the_samples(batch):
    model = build().eval()
    inputs, samples = batch
    labels = torch.cat([sample.affinity_label.data for sample in samples])
    expected = model.affinity_loss(model.affinities(inputs), labels, radius=3)
    assert_close(model(inputs, samples, mode='loss'), expected)


@pytest.mark.parametrize('half', [False, True], ids=['single precision', 'autocast'])
def test_training_steps_lower_the_loss(batch, half):
    model = build()
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.05))
    data = dict(inputs=batch[0], data_samples=batch[1])
    losses = []
    for _ in range(8):
        # One context per step, because it keeps the weights that it has cast.
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=half):
            losses.append(model.train_step(data, optimizer)['loss'].item())
    assert losses[-1] < 0.95 * losses[0]


def test_every_parameter_of_the_head_gets_a_gradient(batch):
    model = build()
    sum(model(*batch, mode='loss').values()).backward()
    for parameter in model.head.parameters():
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize('size', [(4, 4), (1, 1), (9, 30)])
def test_images_of_few_cells_work(size):
    model = build(radius=5).eval()
    height, width = (-(-side // 4) for side in size)
    assert model.affinities(torch.ones(1, 3, *size)).shape == (1, 34, height, width)


@pytest.mark.parametrize('labelled', [(3, 4), (8, 6)])
def test_labels_of_another_size_are_refused(batch, labelled):
    inputs, samples = batch
    samples[1] = affinity_sample(torch.zeros(labelled, dtype=torch.uint8))
    with pytest.raises(
        UserInputError, match=r'grid \(6, 8\), got .* stride of the `AffinityLabels`'
    ):
        build()(inputs, samples, mode='loss')


def test_a_radius_without_neighbours_is_refused_when_the_network_is_built():
    with pytest.raises(ValueError, match='radius must be >= 2'):
        build(radius=1)
