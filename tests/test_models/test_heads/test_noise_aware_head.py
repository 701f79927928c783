import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.models.heads import CosineClassifier, cosine_logits
from mmwsss.models.losses import noise_aware_loss
from mmwsss.registry import MODELS

HEADS = {
    'NoiseAwareLargeFOVHead': {},
    'NoiseAwareFCNHead': {'channels': 4, 'num_convs': 1},
    'NoiseAwareASPPHead': {'channels': 4, 'dilations': (1, 2)},
    'NoiseAwareDeepLabV2Head': {'channels': 4, 'dilations': (1, 2)},
    'NoiseAwareDepthwiseSeparableASPPHead': {
        'channels': 4,
        'dilations': (1, 2),
        'c1_in_channels': 0,
        'c1_channels': 0,
    },
}


def build_head(name='NoiseAwareLargeFOVHead', **options):
    torch.manual_seed(0)  # with few features, dropout may leave none
    return MODELS.build(
        {'type': name, 'in_channels': 6, 'num_classes': 3, **HEADS[name], **options}
    )


def make_samples(rng, size=(9, 9), batch=2, aux=True):
    samples = []
    for _ in range(batch):
        sample = SegDataSample(metainfo={'img_path': 'a.jpg', 'img_shape': size})
        fields = ['gt_sem_seg', 'gt_sem_seg_aux'] if aux else ['gt_sem_seg']
        for field in fields:
            data = torch.randint(3, (1, *size), generator=rng)
            sample.set_data({field: PixelData(data=data)})
        samples.append(sample)
    return samples


def test_cosine_logits_are_scaled_cosines_and_ignore_lengths():
    feats = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    weight = torch.tensor([[1.0, 0.0], [0.0, -7.0], [6.0, 8.0]]).view(3, 2, 1, 1)
    logits = cosine_logits(feats, weight, temperature=20)
    assert_close(logits.flatten(), torch.tensor([12.0, -16.0, 20.0]))


def test_cosine_logits_equal_the_product_of_normalised_vectors(rng):
    feats, weight = torch.randn(2, 5, 3, 4, generator=rng), torch.randn(3, 5, 1, 1, generator=rng)
    expected = torch.einsum('bchw,kc->bkhw', F.normalize(feats), F.normalize(weight[..., 0, 0]))
    assert_close(cosine_logits(feats, weight, temperature=2.0), 2 * expected)


def test_a_zero_feature_has_zero_logits_and_no_nan():
    feats = torch.zeros(1, 2, 1, 1, requires_grad=True)
    logits = cosine_logits(feats, torch.ones(3, 2, 1, 1), temperature=20)
    assert_close(logits, torch.zeros_like(logits))
    logits.sum().backward()
    assert feats.grad.isfinite().all()


def test_the_temperature_of_a_cosine_classifier_is_positive():
    with pytest.raises(ValueError, match='temperature must be > 0'):
        CosineClassifier(4, 3, temperature=0)


def test_the_classifier_is_drawn_from_a_narrow_normal_and_has_no_bias():
    head = MODELS.build({'type': 'NoiseAwareLargeFOVHead', 'in_channels': 512, 'num_classes': 21})
    head.init_weights()
    assert abs(head.conv_seg.weight.std().item() - 0.01) < 1e-3
    assert [name for name, _ in head.named_parameters()] == ['conv_seg.weight']


@pytest.mark.parametrize('name', HEADS)
def test_every_head_gives_bounded_logits_and_both_losses(name, rng):
    head = build_head(name)
    feats = (torch.randn(2, 6, 5, 5, generator=rng),)
    assert head(feats).abs().max() <= 20
    losses = head.loss(feats, make_samples(rng), None)
    assert set(losses) == {'loss_ce', 'loss_wce', 'acc_seg'}
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    assert head.conv_seg.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('align_corners', [True, False])
def test_the_loss_is_taken_on_resized_cosines(rng, align_corners):
    head = build_head(align_corners=align_corners, temperature=10)
    feats = torch.randn(2, 6, 3, 3, generator=rng)
    samples = make_samples(rng)
    cosines = F.interpolate(
        cosine_logits(feats, head.conv_seg.weight, temperature=1.0),
        (9, 9),
        mode='bilinear',
        align_corners=align_corners,
    )
    label = torch.cat([sample.gt_sem_seg.data for sample in samples])
    aux_label = torch.cat([sample.gt_sem_seg_aux.data for sample in samples])
    expected = noise_aware_loss(cosines, label, aux_label, temperature=10)
    losses = head.loss((feats,), samples, None)
    assert_close(losses['loss_ce'], expected[0])
    assert_close(losses['loss_wce'], 0.1 * expected[1])
    assert_close(losses['acc_seg'], 100 * (cosines.argmax(1) == label).float().mean())


def test_ignored_pixels_do_not_count_in_the_accuracy(rng):
    head = build_head()
    samples = make_samples(rng, batch=1)
    samples[0].gt_sem_seg.data.fill_(255)
    losses = head.loss((torch.randn(1, 6, 5, 5, generator=rng),), samples, None)
    assert losses['acc_seg'] == 0


def test_a_missing_second_map_is_explained(rng):
    with pytest.raises(ValueError, match='aux_seg_map_path'):
        build_head().loss((torch.randn(2, 6, 5, 5),), make_samples(rng, aux=False), None)


def test_label_maps_of_different_sizes_are_explained(rng):
    samples = make_samples(rng)
    for sample in samples:
        sample.set_data({'gt_sem_seg_aux': PixelData(data=torch.zeros(1, 4, 4))})
    with pytest.raises(ValueError, match='seg_fields'):
        build_head().loss((torch.randn(2, 6, 5, 5),), samples, None)


def test_another_loss_is_refused_at_construction():
    with pytest.raises(ValueError, match='_delete_=True'):
        build_head('NoiseAwareASPPHead', loss_decode={'type': 'CrossEntropyLoss'})


def test_a_pixel_sampler_is_refused():
    with pytest.raises(ValueError, match='remove `sampler`'):
        build_head('NoiseAwareFCNHead', sampler={'type': 'OHEMPixelSampler'})


def test_the_branches_of_deeplabv2_are_features_summed_and_rectified(rng):
    head = build_head('NoiseAwareDeepLabV2Head').train()
    x = torch.randn(2, 6, 5, 5, generator=rng)
    first, second = (conv.weight for conv in head.branches)
    summed = F.conv2d(x, first, padding=1) + F.conv2d(x, second, padding=2, dilation=2)
    feats = F.normalize(summed.clamp_min(0))
    expected = torch.einsum('bchw,kc->bkhw', feats, F.normalize(head.conv_seg.weight[..., 0, 0]))
    assert_close(head((x,)), 20 * expected)
    assert [name for name, _ in head.named_parameters() if 'bias' in name] == []


def test_the_published_head_of_deeplabv2_has_four_branches_of_256_channels():
    head = MODELS.build({'type': 'NoiseAwareDeepLabV2Head', 'in_channels': 2048, 'num_classes': 21})
    head.init_weights()
    assert [tuple(conv.weight.shape) for conv in head.branches] == [(256, 2048, 3, 3)] * 4
    assert [conv.dilation[0] for conv in head.branches] == [6, 12, 18, 24]
    assert abs(head.branches[0].weight.std().item() - 0.01) < 1e-4
    assert abs(head.conv_seg.weight.std().item() - 0.01) < 1e-3
    assert head.align_corners


def test_the_plain_large_fov_head_is_one_linear_layer(rng):
    head = MODELS.build({'type': 'LargeFOVHead', 'in_channels': 6, 'num_classes': 3})
    feats = torch.randn(2, 6, 5, 5, generator=rng)
    assert_close(head((feats,)), head.conv_seg(feats))
    assert head.align_corners
    losses = head.loss((feats,), make_samples(rng, aux=False), None)
    assert set(losses) == {'loss_ce', 'acc_seg'}
