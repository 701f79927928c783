"""What only a GPU can show: the same results, no waiting for the device, half precision."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from mmengine.optim import AmpOptimWrapper
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.affinity import random_walk, stencil_affinities
from mmwsss.models import RegionMemory
from mmwsss.registry import MODELS, TASK_UTILS
from mmwsss.structures import CAMOutputs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device'),
]
DEVICE = 'cuda'
SIZE = (32, 40)
POOLING = dict(type='BackgroundAwarePooling')


@contextmanager
def waiting_for_the_device_is_an_error():
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


def box_sample(boxes, labels):
    sample = SegDataSample()
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32), labels=torch.tensor(labels)
    )
    mask = torch.ones(1, *SIZE, dtype=torch.uint8)
    for x1, y1, x2, y2 in boxes:
        mask[:, y1:y2, x1:x2] = 0
    sample.background_mask = PixelData(data=mask)
    return sample


def box_samples():
    return [box_sample([[4, 2, 20, 30], [18, 10, 38, 21]], [1, 0]), box_sample([[8, 8, 9, 9]], [1])]


def region_loss(feats, weights, samples):
    """Loss of the regions of boxes, from features (B, C, h, w) and class weights (1+K, C)."""
    score_map = torch.einsum('kc,bchw->bkhw', weights, feats)
    pooled = MODELS.build(POOLING)(feats, score_map, samples)
    objective = MODELS.build(dict(type='RegionCrossEntropy'))
    return objective(pooled, samples, None)['loss_region']


def features(rng):
    return torch.randn(2, 6, 8, 10, generator=rng).relu(), torch.randn(3, 6, generator=rng)


def test_background_aware_pooling_has_the_loss_and_gradient_of_the_cpu(rng):
    feats, weights = features(rng)
    results = []
    for device in ('cpu', DEVICE):
        leaf = feats.to(device).requires_grad_()
        samples = [sample.to(device) for sample in box_samples()]
        loss = region_loss(leaf, weights.to(device), samples)
        loss.backward()
        results.append((loss.detach().cpu(), leaf.grad.cpu()))
    assert_close(results[1], results[0], rtol=1e-4, atol=1e-6)


def test_background_aware_pooling_never_waits_for_the_device(rng):
    feats, weights = (part.to(DEVICE).requires_grad_() for part in features(rng))
    samples = [sample.to(DEVICE) for sample in box_samples()]
    with waiting_for_the_device_is_an_error():
        region_loss(feats, weights, samples).backward()
    assert feats.grad.isfinite().all()


def test_noise_aware_loss_never_waits_for_the_device(rng):
    cosines = (torch.rand(2, 5, 9, 9, generator=rng) * 2 - 1).to(DEVICE).requires_grad_()
    label, aux_label = torch.randint(5, (2, 2, 9, 9), generator=rng).to(DEVICE)
    loss = MODELS.build(dict(type='NoiseAwareLoss'))
    with waiting_for_the_device_is_an_error():
        sum(loss(cosines, label, aux_label, temperature=20.0).values()).backward()
    assert cosines.grad.isfinite().all()


def affinity_losses(feats, labels):
    loss = MODELS.build(dict(type='AffinityLoss', official_border=True))
    return sum(loss(stencil_affinities(feats, radius=5), labels, radius=5).values())


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_affinities_have_the_loss_and_gradient_of_the_cpu(rng, memory_format):
    feats = torch.randn(2, 6, 12, 14, generator=rng).contiguous(memory_format=memory_format)
    labels = torch.randint(3, (2, 12, 14), generator=rng, dtype=torch.uint8)
    results = []
    for device in ('cpu', DEVICE):
        leaf = feats.to(device).requires_grad_()
        loss = affinity_losses(leaf, labels.to(device))
        loss.backward()
        results.append((loss.detach().cpu(), leaf.grad.cpu()))
    assert_close(results[1], results[0], rtol=1e-4, atol=1e-6)


def test_affinities_and_their_loss_never_wait_for_the_device(rng):
    feats = torch.randn(2, 6, 12, 14, generator=rng).to(DEVICE).requires_grad_()
    labels = torch.randint(3, (2, 12, 14), generator=rng, dtype=torch.uint8).to(DEVICE)
    with waiting_for_the_device_is_an_error():
        affinity_losses(feats, labels).backward()
    assert feats.grad.isfinite().all()


def erased_losses(scores, pooling):
    """Losses of erasing triplets; a second pass scales the scores with the erased image."""
    tags = torch.eye(3, device=scores.device)
    samples = [
        SegDataSample(gt_score=row, gt_label=torch.tensor([i])) for i, row in enumerate(tags)
    ]

    def encode(images):
        maps = scores * images.mean(dim=(1, 2, 3))[:, None, None, None]
        pooled = pooling(maps, maps, samples)
        return CAMOutputs(maps, maps, pooled.logits, pooled.targets, pooled.parts, images)

    images = torch.ones(3, 3, *SIZE, device=scores.device)
    return MODELS.build(dict(type='ErasingTriplet'))(encode(images), samples, encode)


def test_erasing_triplets_never_wait_for_the_device(rng):
    scores = torch.randn(3, 3, 8, 10, generator=rng).to(DEVICE).requires_grad_()
    pooling = MODELS.build(dict(type='GatedPyramidPooling', num_classes=3)).to(DEVICE)
    with waiting_for_the_device_is_an_error():
        sum(erased_losses(scores, pooling).values()).backward()
    assert scores.grad.isfinite().all()


def test_attraction_to_erased_images_is_that_of_the_cpu(rng):
    torch.manual_seed(0)
    scores = torch.randn(3, 3, 8, 10, generator=rng)
    pooling = MODELS.build(dict(type='GatedPyramidPooling', num_classes=3))
    expected = erased_losses(scores, pooling)['loss_attract']
    loss = erased_losses(scores.to(DEVICE), pooling.to(DEVICE))['loss_attract']
    assert_close(loss.cpu(), expected, rtol=1e-3, atol=1e-6)


def written_memory(device, entry, steps, guard=nullcontext):
    memory = RegionMemory(3, 8, slots=5, momentum=0.9, entry=entry).to(device)
    if entry == 'image':
        memory.set_entries({str(i): dict.fromkeys(range(3), i) for i in range(5)})
    for step in steps:
        embeddings, classes, gate = (part.to(device) for part in step)
        with guard():
            memory.write(embeddings, classes, gate, list('0123401234'), batch_size=10)
    return memory


def steps_of_regions(rng, num_steps=3):
    """Embeddings, classes and gates of ten regions per step."""
    for _ in range(num_steps):
        embeddings = torch.randn(10, 8, generator=rng)
        classes = torch.randint(3, (10,), generator=rng)
        yield embeddings, classes, torch.rand(10, generator=rng) < 0.7


@pytest.mark.parametrize('entry', ['ring', 'image'])
def test_a_memory_of_regions_never_waits_for_the_device_and_is_that_of_the_cpu(rng, entry):
    steps = list(steps_of_regions(rng))
    expected = written_memory('cpu', entry, steps)
    memory = written_memory(DEVICE, entry, steps, waiting_for_the_device_is_an_error)
    assert_close(memory.slots.cpu(), expected.slots, rtol=0, atol=1e-6)
    assert memory.filled.tolist() == expected.filled.tolist()
    assert memory.cursor.tolist() == expected.cursor.tolist()


@pytest.mark.parametrize(
    'options', [dict(), dict(contrast=dict(partner='any', floor=1e-4), projection=True)]
)
def test_region_contrast_never_waits_for_the_device(rng, options):
    built = MODELS.build(
        dict(
            type='RegionContrast',
            num_classes=3,
            channels=6,
            memory=dict(score_threshold=0.0),
            **options,
        )
    ).to(DEVICE)
    feats = torch.randn(3, 6, 8, 10, generator=rng).to(DEVICE).requires_grad_()
    score_map = torch.randn(3, 3, 8, 10, generator=rng).to(DEVICE)
    samples = []
    for classes in ([0, 1], [2], []):
        label = torch.tensor(classes, dtype=torch.long)
        score = torch.zeros(3).index_fill(0, label, 1)
        samples.append(SegDataSample(gt_label=label, gt_score=score).to(DEVICE))
    outputs = CAMOutputs(feats, score_map, score_map.mean(dim=(2, 3)))
    built(outputs, samples, None)  # fills the memory
    with waiting_for_the_device_is_an_error():
        built(outputs, samples, None)['loss_region_contrast'].backward()
    assert feats.grad.isfinite().all()
    assert feats.grad.abs().max() > 0


def test_pseudo_labels_are_those_of_the_cpu(rng):
    pytest.importorskip('pydensecrf')
    generator = TASK_UTILS.build(
        dict(
            type='PseudoLabelGenerator',
            normalize=dict(type='BoxNormalize'),
            labels=dict(
                Y_crf=dict(
                    background=dict(type='AttentionBackground'),
                    refiners=[
                        dict(type='SoftmaxInBoxes'),
                        dict(type='DenseCRF'),
                        dict(type='BoxConstraint'),
                    ],
                ),
                Y_ret=dict(start='Y_crf', refiners=[dict(type='RetrievalRefiner')]),
            ),
        )
    )
    sample = box_samples()[0]
    sample.cam_label = torch.tensor([0, 1])
    sample.cams = torch.rand(2, *SIZE, generator=rng)
    sample.feats = torch.rand(6, 8, 10, generator=rng)
    sample.class_weights = torch.randn(3, 6, generator=rng)
    sample.pred_score = torch.rand(2, generator=rng)
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    expected = generator.generate(sample, image)
    labels = generator.generate(sample.to(DEVICE), image)
    for name, label in labels.items():
        assert (label != expected[name]).mean() <= 0.01  # rounding may decide near-ties differently


@pytest.mark.parametrize(('dtype', 'tolerance'), [('float32', 2e-5), ('float64', 1e-12)])
def test_random_walk_equals_that_on_the_cpu(rng, dtype, tolerance):
    scores = torch.rand(2, 3, 9, 13, generator=rng).to(getattr(torch, dtype))
    affinities = torch.rand(2, 34, 9, 13, generator=rng)
    options = dict(radius=5, beta=8, log_steps=8)
    expected = random_walk(scores, affinities, **options)
    walked = random_walk(scores.to(DEVICE), affinities.to(DEVICE), **options)
    assert walked.is_cuda
    assert_close(walked.cpu(), expected, rtol=0, atol=tolerance)


def test_a_step_in_half_precision_has_a_finite_loss(rng):
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='CAMClassifier',
            backbone=dict(type='ResNet', depth=18, base_channels=8),
            head=dict(type='CAMHead', in_channels=64, num_classes=2, pooling=POOLING),
            objectives=[dict(type='RegionCrossEntropy')],
        )
    ).to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    batch = dict(inputs=torch.randn(2, 3, *SIZE, generator=rng), data_samples=box_samples())
    logged = model.train_step(batch, AmpOptimWrapper(optimizer=optimizer, dtype='float16'))
    assert logged['loss'].isfinite()
