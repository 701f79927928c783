import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.affinity import PairMasks, boundary_affinities, pair_masks
from mmwsss.models.losses import AffinityLoss, affinity_loss
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

CONFIG = dict(
    type='BoundaryNetwork',
    backbone=dict(
        type='TappedBackbone',
        backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4),
        taps=('maxpool', 'layer1', 'layer2'),
    ),
    head=dict(type='BoundaryHead', in_channels=(4, 4, 8), scales=(1, 1, 2), channels=8),
    radius=3,
)


def build(**options):
    torch.manual_seed(0)
    config = {**CONFIG, **options}
    config['backbone'] = dict(config['backbone'])
    model = MODELS.build(config)
    model.init_weights()
    return model


def sample_of(label):
    sample = SegDataSample()
    sample.affinity_label = PixelData(data=label[None])
    return sample


@pytest.fixture
def batch(rng):
    """Two images of 24 x 32 pixels, on a grid of 6 x 8 cells."""
    values = torch.tensor([0, 1, 2, 255], dtype=torch.uint8)
    labels = values[torch.randint(4, (2, 6, 8), generator=rng)]
    return torch.randn(2, 3, 24, 32, generator=rng), [sample_of(label) for label in labels]


def test_losses_and_gradients_of_boundaries_match_the_oracle(oracle):
    arrays = oracle('irn_losses')
    names = ('edge_logit', 'label', 'counts', 'terms', 'loss', 'grad_edge_logit')
    for k in range(int(arrays['num_cases'])):
        case = {name: torch.from_numpy(np.asarray(arrays[f'c{k}_{name}'])) for name in names}
        radius, labels = int(arrays[f'c{k}_radius']), case['label']
        logits = case['edge_logit'].requires_grad_()
        affinities = boundary_affinities(logits.sigmoid(), radius=radius)
        masks = pair_masks(labels, radius=radius, official_border=True)
        assert [int(mask.sum()) for mask in masks] == case['counts'].tolist()
        losses = affinity_loss(affinities, masks)
        atol = 1e-4 if arrays[f'c{k}_name'] == 'saturated' else 1e-5
        assert_close(torch.stack(losses[1:]).detach(), case['terms'][:3], rtol=0, atol=atol)
        displacements = case['terms'][3:].sum() / 2
        assert_close((losses.total + displacements).detach(), case['loss'], rtol=0, atol=atol)
        losses.total.backward()
        expected = case['grad_edge_logit']
        largest = expected.abs().max().item()
        assert_close(logits.grad, expected, rtol=0, atol=1e-5 * largest)
        logged = AffinityLoss(official_border=True)(affinities.detach(), labels, radius=radius)
        assert_close(sum(logged.values()), losses.total.detach())


def test_affinities_are_those_of_the_boundaries(batch):
    model = build().eval()
    logits = model.boundary_logits(batch[0])
    assert logits.shape == (2, 1, 6, 8)
    assert_close(model.affinities(batch[0]), boundary_affinities(torch.sigmoid(logits), radius=3))


def test_the_backbone_learns_nothing_and_the_head_everything(batch):
    model = build().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-2))
    data = dict(inputs=batch[0], data_samples=batch[1])
    losses = [model.train_step(data, optimizer)['loss'].item() for _ in range(12)]
    assert losses[-1] < losses[0]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith('backbone.'), name
    assert not any(parameter.requires_grad for parameter in model.backbone.parameters())


def test_half_precision_features_give_single_precision_affinities(batch):
    model = build().eval()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert model.affinities(batch[0]).dtype == torch.float32
        losses = model(*batch, mode='loss')
    assert all(loss.dtype == torch.float32 for loss in losses.values())


def test_labels_of_another_size_are_refused(batch):
    batch[1][1] = sample_of(torch.zeros(3, 4, dtype=torch.uint8))
    with pytest.raises(UserInputError, match=r'grid \(6, 8\), got'):
        build()(*batch, mode='loss')


@pytest.mark.parametrize('size', [(4, 4), (1, 1), (9, 30)])
def test_crops_of_fewer_cells_than_the_radius_have_the_pairs_that_fit(size):
    model = build(radius=10)
    height, width = (-(-side // 4) for side in size)
    labels = torch.zeros(1, height, width, dtype=torch.uint8)
    losses = model(torch.ones(1, 3, *size), [sample_of(labels[0])], mode='loss')
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert (losses['loss_background'] > 0) == (height * width > 1)


def test_what_the_checkpoint_tells_is_the_radius_of_the_training():
    preprocessor = dict(type='WeakSegDataPreProcessor', mean=[1.0, 2.0, 3.0], std=[1.0, 1.0, 1.0])
    trained = build(data_preprocessor=preprocessor).trained_with
    assert trained['radius'] == 3
    assert trained['data_preprocessor.mean'] == [1.0, 2.0, 3.0]


def test_two_processes_equal_one(batch, on_two_ranks):
    inputs, samples = batch
    samples[1].affinity_label.data[samples[1].affinity_label.data == 0] = 255

    def losses_and_gradients(images, labels):
        model = build().train()
        losses = model(images, labels, mode='loss')
        sum(losses.values()).backward()
        grads = [parameter.grad for parameter in model.head.parameters()]
        return {name: loss.detach() for name, loss in losses.items()}, grads

    expected, grads = losses_and_gradients(inputs, samples)

    def of_one_image(rank):
        return losses_and_gradients(inputs[rank : rank + 1], samples[rank : rank + 1])

    ranks = on_two_ranks(of_one_image)
    for found, _ in ranks:
        assert_close(found, expected)
    for grad, first, second in zip(grads, ranks[0][1], ranks[1][1], strict=True):
        assert_close((first + second) / 2, grad)  # DDP averages


def test_pairs_of_the_published_border_alone(batch):
    model = build(loss=dict(type='AffinityLoss', official_border=True)).eval()
    labels = torch.cat([sample.affinity_label.data for sample in batch[1]])
    masks = pair_masks(labels, radius=3, official_border=True)
    assert isinstance(masks, PairMasks)
    expected = affinity_loss(model.affinities(batch[0]), masks).total
    assert_close(sum(model(*batch, mode='loss').values()), expected)
