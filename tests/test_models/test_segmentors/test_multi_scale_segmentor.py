import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from torch.testing import assert_close

from mmwsss.models.segmentors.multi_scale_segmentor import reduce_label
from mmwsss.registry import MODELS

SIZE = 65
SCALES = ('1', '0.5', '0.75')


def build(head='DeepLabV2Head', **options):
    torch.manual_seed(0)
    channels = {'channels': 4} if head == 'NoiseAwareDeepLabV2Head' else {}
    config = {
        'type': 'MultiScaleSegmentor',
        'backbone': {
            'type': 'CeilPoolResNet',
            'depth': 18,
            'base_channels': 4,
            'stem_channels': 4,
            'strides': (1, 2, 1, 1),
            'out_indices': (3,),
            'norm_eval': True,
        },
        'decode_head': {
            'type': head,
            'in_channels': 32,
            'num_classes': 3,
            'dilations': (1, 2),
            **channels,
        },
        'test_cfg': {'mode': 'whole'},
        **options,
    }
    model = MODELS.build(config).train()
    for parameter in model.decode_head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # so that every scale has the maximum somewhere
    return model


def make_samples(rng, *, size=SIZE, aux=False):
    samples = []
    for _ in range(2):
        sample = SegDataSample(metainfo={'img_path': 'a.jpg', 'img_shape': (size, size)})
        for field in ['gt_sem_seg', 'gt_sem_seg_aux'][: 1 + aux]:
            label = torch.randint(3, (1, size, size), generator=rng)
            label[:, :9] = 255
            sample.set_data({field: PixelData(data=label)})
        samples.append(sample)
    return samples


def pillow_nearest(label, size):
    """Reduce a label map with Pillow."""
    image = Image.fromarray(label.numpy().astype(np.uint8))
    return torch.from_numpy(np.array(image.resize(size[::-1], Image.Resampling.NEAREST))).long()


def reference_maps(model, images):
    """Logits of every scale, one forward pass each, and the largest of them by a loop."""
    maps = []
    for scale in (1.0, 0.5, 0.75):
        side = int(SIZE * scale)
        view = images
        if scale != 1:
            view = F.interpolate(images, scale_factor=scale, mode='bilinear')
            assert view.shape[2:] == (side, side)
        maps.append(model.decode_head(model.backbone(view)))
    size = maps[0].shape[2:]
    align = model.align_corners
    large = [F.interpolate(one, size, mode='bilinear', align_corners=align) for one in maps]
    return [*maps, torch.stack(large).amax(dim=0)]


@pytest.mark.parametrize(('length', 'cells'), [(321, 41), (321, 21), (321, 31), (7, 3), (5, 5)])
def test_labels_are_reduced_as_pillow_does(rng, length, cells):
    label = torch.randint(256, (length, length + 4), generator=rng)
    assert_close(reduce_label(label, (cells, cells)), pillow_nearest(label, (cells, cells)))


def test_the_label_of_a_cell_is_that_of_its_centre():
    assert reduce_label(torch.arange(9)[None], (1, 3)).tolist() == [[1, 4, 7]]


def test_the_loss_is_the_sum_of_four_cross_entropies_on_four_grids(rng):
    model = build()
    images = torch.randn(2, 3, SIZE, SIZE, generator=rng)
    samples = make_samples(rng)
    losses = model.loss(images, samples)
    maps = reference_maps(model, images)
    assert [tuple(one.shape[2:]) for one in maps] == [(9, 9), (5, 5), (7, 7), (9, 9)]
    for name, logits in zip((*SCALES, 'max'), maps, strict=True):
        labels = [pillow_nearest(s.gt_sem_seg.data[0], logits.shape[2:]) for s in samples]
        expected = F.cross_entropy(logits, torch.stack(labels), ignore_index=255)
        assert_close(losses[f'decode_{name}.loss_ce'], expected)
    total, _ = model.parse_losses(losses)
    assert_close(total, sum(losses[f'decode_{name}.loss_ce'] for name in (*SCALES, 'max')))


def test_a_prediction_is_the_largest_logit_resized_to_the_image(rng):
    model = build().eval()
    images = torch.randn(2, 3, SIZE, SIZE, generator=rng)
    *maps, largest = reference_maps(model, images)
    assert (largest > maps[0]).any()
    assert (largest == maps[0]).any()
    meta = [{'img_shape': (SIZE, SIZE), 'ori_shape': (SIZE, SIZE)}] * 2
    expected = F.interpolate(largest, (SIZE, SIZE), mode='bilinear', align_corners=False)
    assert_close(model.encode_decode(images, meta), expected)
    assert_close(model(images, mode='tensor'), largest)


def test_a_head_of_two_label_maps_reads_both_on_every_grid(rng):
    model = build('NoiseAwareDeepLabV2Head')
    images = torch.randn(2, 3, SIZE, SIZE, generator=rng)
    samples = make_samples(rng, aux=True)
    losses = model.loss(images, samples)
    assert sum('loss_wce' in name for name in losses) == 4
    same = [
        SegDataSample(
            metainfo=s.metainfo, gt_sem_seg=s.gt_sem_seg, gt_sem_seg_aux=s.gt_sem_seg.clone()
        )
        for s in samples
    ]
    agreed = model.loss(images, same)
    assert all(agreed[name] == 0 for name in agreed if 'loss_wce' in name)


def test_labels_of_the_samples_stay_as_they_are(rng):
    samples = make_samples(rng)
    before = samples[0].gt_sem_seg.data.clone()
    build().loss(torch.randn(2, 3, SIZE, SIZE, generator=rng), samples)
    assert_close(samples[0].gt_sem_seg.data, before)


def test_a_batch_without_any_label_has_no_loss(rng):
    samples = make_samples(rng)
    for sample in samples:
        sample.gt_sem_seg.data.fill_(255)
    losses = build().loss(torch.randn(2, 3, SIZE, SIZE, generator=rng), samples)
    assert all(value == 0 for name, value in losses.items() if 'loss' in name)


@pytest.mark.parametrize('scales', [(), (0.5, 0.0)])
def test_scales_are_positive(scales):
    with pytest.raises(ValueError, match='scales must be positive'):
        build(scales=scales)


def test_an_auxiliary_head_is_refused():
    head = {'type': 'FCNHead', 'in_channels': 32, 'channels': 4, 'num_classes': 3}
    with pytest.raises(ValueError, match='auxiliary_head=None'):
        build(auxiliary_head=head)
