import pytest
import torch
import torch.nn.functional as F
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.models.losses import erasing_triplet_loss as functional
from mmwsss.models.objectives import erasing_triplet
from mmwsss.registry import MODELS
from mmwsss.structures import CAMOutputs


def build(**options):
    return MODELS.build(dict(type='ErasingTriplet', **options))


def samples_with(tags):
    samples = []
    for row in tags:
        sample = SegDataSample()
        sample.gt_score = row
        sample.gt_label = row.nonzero().flatten()
        samples.append(sample)
    return samples


def published_pass(case):
    """The masked pass that the file describes; it keeps its inputs."""
    seen = {}

    def encode(images):
        pooled = F.avg_pool2d(images, int(case['pool']))
        gated = case['gpp_masked_base'] + torch.einsum('kc,bchw->bkhw', case['mix'], pooled)
        seen.update(images=images, gated_map=gated)
        return CAMOutputs(gated, gated, gated.mean((2, 3)), parts={'gated_map': gated})

    return encode, seen


def outputs_of(case):
    parts = {'gated_map': case['gpp_anchor']}
    cam = case['cam']
    return CAMOutputs(cam, cam, case['logits'], case['label'], parts, images=case['image'])


@pytest.fixture
def published(oracle, cases_of, monkeypatch):
    """All cases with the objective's losses, computed with the negatives from the file."""
    data = oracle('aeft_losses')
    high, low = data['thresholds_high_low'].tolist()
    _, attract, repulse = data['weights_cls_attract_repulse'].tolist()
    triplet = build(
        erase_threshold=high,
        low_threshold=low,
        attract_weight=attract,
        repulse_weight=repulse,
        margin=float(data['margin']),
        min_hard=int(data['min_hard']),
    )
    margin_loss = MODELS.build(dict(type='MultiLabelSoftMargin', supervised=8))
    cases = []
    for case in cases_of('aeft_losses'):
        for name in ('cam', 'logits', 'gpp_anchor', 'gpp_masked_base'):
            case[name].requires_grad_()
        drawn = case['neg_index'], torch.ones(len(case['cam']), dtype=torch.bool)
        monkeypatch.setattr(erasing_triplet, 'choose_negatives', lambda tags, drawn=drawn: drawn)
        encode, seen = published_pass(case)
        samples = samples_with(case['label'])
        losses = triplet(outputs_of(case), samples, encode)
        losses |= margin_loss(outputs_of(case), samples, encode)
        cases.append((case, seen, losses))
    return cases


def assert_relative(actual, expected, tolerance=1e-5):
    assert_close(actual, expected, rtol=0, atol=tolerance * expected.abs().max().item())


def test_published_mask_and_masked_pass(published):
    for case, seen, _ in published:
        foreground = functional.foreground_map(
            case['cam'], case['label'], case['image'].shape[2:], most_classes=3
        )
        assert_close(foreground, case['foreground'], rtol=0, atol=2e-6)
        mask = functional.erasing_mask(foreground, threshold=0.6)
        assert_close(mask, case['mask'], rtol=0, atol=2e-6)
        assert_close(seen['images'], case['image'] * case['mask'], rtol=0, atol=1e-5)
        assert_close(seen['gated_map'], case['gpp_masked'], rtol=0, atol=2e-6)


def test_published_embeddings_and_distances(published):
    for case, seen, _ in published:
        for name, gated in (('anchor', case['gpp_anchor']), ('positive', seen['gated_map'])):
            embedding = functional.class_embeddings(gated, case['label'])
            assert_close(embedding, case[f'embed_{name}'], rtol=0, atol=1e-6)
        distances = functional.negative_distances(
            case['gpp_anchor'], case['cam'], case['label'], case['neg_index'], low_threshold=0.2
        )
        assert_close(distances, case['distance'], rtol=0, atol=2e-6)
        assert_close((distances < 0.5).nonzero().flatten(), case['hard_index'])


def test_published_losses(published):
    for case, _, losses in published:
        assert_close(losses['loss_multi_label'], case['loss_cls'], rtol=0, atol=1e-6)
        assert_close(losses['loss_attract'], case['loss_attract'], rtol=0, atol=1e-7)
        assert_close(losses['loss_repulse'], case['loss_repulse'], rtol=0, atol=1e-7)
        assert_close(sum(losses.values()), case['loss_total'], rtol=0, atol=1e-6)


def test_published_gradients_through_the_mask_as_well(published):
    for case, _, losses in published:
        attraction = losses['loss_multi_label'] + losses['loss_attract']
        (grad,) = torch.autograd.grad(attraction, case['gpp_anchor'], retain_graph=True)
        assert_relative(grad, case['grad_gpp_attract'])
        sum(losses.values()).backward()
        assert_relative(case['gpp_anchor'].grad, case['grad_gpp_total'])
        assert_relative(case['gpp_masked_base'].grad, case['grad_gpp_masked_base'])
        assert_relative(case['logits'].grad, case['grad_logits'])
        assert_relative(case['cam'].grad, case['grad_cam'])


def classifier(**triplet):
    pooling = dict(type='GatedPyramidPooling', num_classes=3)
    if triplet.get('embedding') == 'score_map':
        pooling = dict(type='GlobalAveragePooling')
    return MODELS.build(
        dict(
            type='CAMClassifier',
            backbone=dict(type='ResNet', depth=18, base_channels=4, norm_eval=True),
            head=dict(type='CAMHead', in_channels=32, num_classes=3, pooling=pooling),
            objectives=[
                dict(type='MultiLabelSoftMargin'),
                dict(type='ErasingTriplet', **triplet),
            ],
        )
    )


def classifier_losses(tags, **triplet):
    torch.manual_seed(0)
    model = classifier(**triplet)
    model.head.classifier.weight.data.normal_()  # scores that tell positions apart
    losses = model.loss(torch.randn(len(tags), 3, 64, 96), samples_with(torch.tensor(tags)))
    sum(losses.values()).backward()
    return losses, model


def test_images_are_erased_by_the_corner_convention_of_the_maps():
    usual, aligned = (
        classifier_losses([[1.0, 0, 0], [0, 1.0, 1.0]], align_corners=value)[0]
        for value in (False, True)
    )
    assert usual['loss_attract'] != aligned['loss_attract']
    assert_close(usual['loss_repulse'], aligned['loss_repulse'], rtol=0, atol=0)


@pytest.mark.parametrize('embedding', ['gated_map', 'score_map'])
def test_a_classifier_trains_on_either_map(embedding):
    losses, model = classifier_losses([[1.0, 0, 0], [0, 1.0, 1.0]], embedding=embedding)
    assert set(losses) == {'loss_multi_label', 'loss_attract', 'loss_repulse'}
    assert losses['loss_attract'] > 0
    assert model.head.classifier.weight.grad.isfinite().all()


def test_the_map_of_the_embedding_has_to_come_from_the_head():
    assert build().requires == ('gated_map',)
    assert build(embedding='score_map').requires == ()


@pytest.mark.parametrize(
    'tags',
    [
        [[0.0, 0, 0], [0, 0, 0]],
        [[1.0, 0, 0], [0, 0, 0]],
        [[1.0, 1.0, 0], [1.0, 0, 0]],
        [[1.0, 0, 0]],
    ],
    ids=['no_class', 'one_without_class', 'all_share_a_class', 'one_image'],
)
def test_a_batch_without_any_negative_has_no_repulsion(tags):
    losses, model = classifier_losses(tags)
    assert losses['loss_repulse'] == 0
    assert losses['loss_attract'].isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_a_batch_without_any_class_has_no_attraction():
    assert classifier_losses([[0.0, 0, 0], [0, 0, 0]])[0]['loss_attract'] == 0


def test_a_channel_of_background_before_the_classes_is_ignored(rng):
    score_map, images = torch.randn(2, 3, 4, 4, generator=rng), torch.randn(2, 3, 8, 8)
    triplet = build(embedding='score_map')
    losses = []
    for maps in (score_map, torch.cat([torch.full((2, 1, 4, 4), 9.0), score_map], dim=1)):
        outputs = CAMOutputs(maps, maps, maps.mean((2, 3)), images=images)
        samples = samples_with(torch.eye(3)[:2])
        losses.append(triplet(outputs, samples, lambda images, outputs=outputs: outputs))
    assert_close(losses[0], losses[1])


def map_gradient(rng, **options):
    """Gradient of the attraction at the scores, for a pass that sums the colours of the image."""
    scores = torch.randn(1, 2, 4, 4, generator=rng, requires_grad=True)
    gated = torch.ones(1, 2, 4, 4)
    outputs = CAMOutputs(
        scores,
        scores,
        scores.mean((2, 3)),
        parts={'gated_map': gated},
        images=torch.ones(1, 3, 8, 8),
    )

    def encode(images):
        maps = F.avg_pool2d(images[:, :2], 2)
        return CAMOutputs(maps, maps, maps.mean((2, 3)), parts={'gated_map': maps})

    samples = samples_with(torch.ones(1, 2))
    loss = build(repulse_weight=0.0, **options)(outputs, samples, encode)['loss_attract']
    return torch.autograd.grad(loss, scores, allow_unused=True)[0] if loss.requires_grad else None


def test_a_detached_mask_stops_the_gradient_of_the_attraction(rng):
    assert map_gradient(rng).abs().max() > 0
    assert map_gradient(rng, detach_mask=True) is None


def test_no_value_of_a_tensor_is_read():
    # Tensors on this device have only shapes; reading a value, which would wait for a GPU, fails.
    images, scores = torch.ones(3, 3, 8, 8, device='meta'), torch.ones(3, 4, 5, 5, device='meta')
    scores.requires_grad_()

    def encode(images):
        maps = scores * images.mean(dim=(1, 2, 3))[:, None, None, None]
        return CAMOutputs(maps, maps, maps, parts={'gated_map': maps}, images=images)

    samples = [sample.to('meta') for sample in samples_with(torch.eye(4)[:3])]
    losses = build()(encode(images), samples, encode)
    sum(losses.values()).backward()
    assert all(loss.shape == () for loss in losses.values())


def test_without_attraction_there_is_no_second_pass(rng):
    maps = torch.randn(2, 2, 4, 4, generator=rng)
    outputs = CAMOutputs(maps, maps, maps.mean((2, 3)), images=torch.ones(2, 3, 8, 8))
    triplet = build(attract_weight=0.0, embedding='score_map')
    assert set(triplet(outputs, samples_with(torch.eye(2)), None)) == {'loss_repulse'}


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('erase_threshold', 0.0),
        ('low_threshold', 1.5),
        ('margin', -1.0),
        ('attract_weight', -0.1),
        ('embedding', 'feats'),
    ],
)
def test_an_option_without_meaning_is_refused(option, value):
    with pytest.raises(ValueError, match=option):
        build(**{option: value})


def test_objectives_without_any_weight_are_refused():
    with pytest.raises(ValueError, match='repulse_weight'):
        build(attract_weight=0.0, repulse_weight=0.0)
