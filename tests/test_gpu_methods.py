"""Steps, predictions and labels on a GPU; the same tests run on the CPU, as slow ones.

On the CPU, a result is compared with itself, which only shows that the called code works.
"""

import copy
import os
import socket
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmseg.structures import SegDataSample
from torch.testing import assert_close

from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.models import RegionMemory
from mmwsss.registry import HOOKS, MODELS

IDS = ('a', 'b')
SIZE = (32, 40)
PREPROCESSOR = dict(type='WeakSegDataPreProcessor', bgr_to_rgb=True)
CONTRAST = dict(
    type='RegionContrast',
    num_classes=3,
    channels=32,
    regions='coarse_map',
    feats='local_feats',
    memory=dict(slots=8, score_threshold=0.0),
)


@pytest.fixture(
    params=[
        pytest.param('cpu', marks=pytest.mark.slow),
        pytest.param(
            'cuda',
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device'),
            ],
        ),
    ]
)
def device(request):
    return request.param


@contextmanager
def without_waiting(device):
    if device == 'cpu':
        yield
        return
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


def batch():
    """Two images with their tags and expected proportions."""
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    samples = []
    for img_id, classes in zip(IDS, ([0, 2], [1]), strict=True):
        label = torch.tensor(classes)
        view = dict(img_id=img_id, img_path=img_id, ori_shape=SIZE, img_shape=SIZE)
        sample = SegDataSample(metainfo=view, gt_label=label)
        sample.gt_score = torch.zeros(3).index_fill(0, label, 1)
        sample.gt_proportion = 0.2 * sample.gt_score.double()
        samples.append(sample)
    return images, samples


def aggregation(kind, head='CAMHead'):
    context = dict(type=kind, in_channels=32, num_classes=3, centroids=2)
    in_channels = 64 if head == 'CAMHead' else 32
    return dict(type=head, context=context, in_channels=in_channels)


THRESHOLDS = dict(
    context=dict(type='ThresholdBranch', in_channels=32, num_classes=3, channels=8), in_channels=8
)
METHODS = {
    'spatial_bce': ([dict(type='SpatialBCE')], THRESHOLDS),
    'aggregation': (
        [dict(type='MultiLabelSoftMargin'), CONTRAST],
        aggregation('SemanticAggregation'),
    ),
    'branches': (
        [dict(type='MultiLabelSoftMargin'), dict(type='TrainingCAMs', num_classes=3)],
        aggregation('ProjectedAggregation', 'ClassBranchesHead'),
    ),
}


@pytest.fixture
def build(tiny_classifier):
    """Build the classifier of a method, always with the same weights."""

    def of(method, **options):
        objectives, head = copy.deepcopy(METHODS[method])
        torch.manual_seed(0)
        config = tiny_classifier(*objectives, num_classes=3, **head)
        model = MODELS.build({**config, 'data_preprocessor': PREPROCESSOR, **options})
        for one in model.objectives:
            if method == 'branches' and hasattr(one, 'set_entries'):
                one.set_entries({'a': {0: 0, 2: 1}, 'b': {1: 2}})
        return model

    return of


def step(model, device, dtype=None):
    """Losses of a step, which must not wait for the device after a first step."""
    model.to(device).train()
    images, samples = batch()
    images, samples = images.to(device), [sample.to(device) for sample in samples]
    enabled = dtype is not None
    with torch.autocast(device, dtype or torch.bfloat16, enabled=enabled):
        copy.deepcopy(model).loss(images, samples)
        with without_waiting(device):
            losses = model.loss(images, samples)
    total = sum(loss for name, loss in losses.items() if 'loss' in name)
    with without_waiting(device):
        total.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    return {name: loss.detach().float().cpu() for name, loss in losses.items()}


@pytest.mark.parametrize('phase', ['probability', 'threshold'])
def test_both_phases_of_learned_thresholds_have_the_loss_of_the_cpu(build, device, phase):
    losses = []
    for place in ('cpu', device):
        model = build('spatial_bce')
        model.objectives[0].set_phase(phase)
        losses.append(step(model, place))
    assert_close(losses[1], losses[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('method', ['aggregation', 'branches'])
def test_aggregation_and_branches_have_the_loss_of_the_cpu(build, device, method, memory_format):
    losses = []
    for place in ('cpu', device):
        model = build(method).to(memory_format=memory_format)
        centroids = torch.randn(3, 2, 32, generator=torch.Generator().manual_seed(1))
        model.head.context.set_centroids(centroids, torch.ones(3, 2, dtype=torch.bool))
        losses.append(step(model, place))
    assert_close(losses[1], losses[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('method', METHODS)
def test_a_step_in_brain_floats_is_near_that_in_single_precision(build, device, method):
    expected = step(build(method), device)
    losses = step(build(method), device, torch.bfloat16)
    assert_close(losses, expected, rtol=0.1, atol=0.1)


def test_centroids_come_from_a_memory_on_the_device(build, device):
    model = build('aggregation').to(device)
    memory = model.objectives[1].memory
    rows = torch.randn(memory.slots.shape, generator=torch.Generator().manual_seed(0))
    memory.slots.copy_(rows)
    memory.filled.fill_(True)
    hook = HOOKS.build(dict(type='RegionCentroidsHook', begin=0, interval=1))
    hook.before_train_iter(SimpleNamespace(model=model, iter=0), 0)
    context = model.head.context
    assert context.centroids.device.type == device
    assert context.valid.all()
    distances = torch.cdist(rows, context.centroids.cpu()).argmin(dim=2)
    for label in range(3):
        for index in range(2):
            mean = rows[label, distances[label] == index].mean(dim=0)
            assert_close(context.centroids[label, index].cpu(), mean, rtol=1e-4, atol=1e-5)


def test_maps_of_the_training_are_kept_on_the_device(build, device):
    tables = []
    for place in ('cpu', device):
        model = build('branches')
        step(model, place)
        assert model.objectives[1].maps.device.type == place
        tables.append(model.objectives[1].maps.cpu())
    assert (tables[1].int() - tables[0].int()).abs().max() <= 2
    assert tables[0].any()


@pytest.mark.parametrize('method', METHODS)
def test_maps_of_several_views_are_those_of_the_cpu(build, device, method):
    maps = []
    for place in ('cpu', device):
        classifier = build(method, flip=True).to(place).eval()
        model = MODELS.build(dict(type='MultiScaleCAM', module=classifier))
        images, samples = batch()
        views = [
            dict(inputs=[image], data_samples=[sample])
            for image, sample in zip((images[0], images[0].flip(-1)), samples[:1] * 2, strict=True)
        ]
        with torch.no_grad():
            predicted = [classifier.test_step(copy.deepcopy(view)) for view in views]
        (merged,) = model.merge_preds([tuple(view[0] for view in predicted)])
        assert merged.cams.device.type == place
        maps.append(merged.cams.cpu())
    assert_close(maps[1], maps[0], rtol=1e-3, atol=1e-4)


def test_the_label_loop_writes_files(label_config, shapes_data, tmp_path, device):
    labels = dict(
        walked=dict(
            background=dict(type='ConstantBackground', threshold=0.5),
            refiners=[dict(type='PixelAdaptiveRefinement', iterations=2)],
        )
    )
    config = label_config(shapes_data, 'val', tmp_path / 'labels', labels)
    run_stage(config, tmp_path / 'work', task='test')
    assert len(list((tmp_path / 'labels/walked').glob('*.png'))) == 6


@pytest.mark.parametrize('dtype', [None, 'bfloat16'])
def test_optimizers_step(build, device, dtype):
    model = build('aggregation').to(device)
    images, samples = batch()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    if dtype is None:
        wrapper = OptimWrapper(optimizer)
    elif device == 'cuda':
        wrapper = AmpOptimWrapper(optimizer=optimizer, dtype=dtype)
    else:
        pytest.skip('mmengine scales gradients on a device only')
    logged = model.train_step(dict(inputs=list(images), data_samples=samples), wrapper)
    assert np.isfinite(float(logged['loss']))


def test_ranks_share_a_memory(device):
    """NCCL with two GPUs or more, otherwise gloo."""
    number = min(2, torch.cuda.device_count()) if device == 'cuda' else 2
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        port = server.getsockname()[1]
    torch.multiprocessing.spawn(_write_on_rank, (number, port, device), nprocs=number)


def _write_on_rank(rank, number, port, device):
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), LOCAL_RANK=str(rank))
    if device == 'cuda':
        torch.cuda.set_device(rank)
    backend = 'nccl' if device == 'cuda' else 'gloo'
    dist.init_process_group(backend, rank=rank, world_size=number)
    memory = RegionMemory(2, 3, slots=4).to(device)
    row = torch.full((1, 3), rank + 1.0, device=device)
    yes = torch.ones(1, dtype=torch.bool, device=device)
    memory.write(row, torch.zeros(1, dtype=torch.long, device=device), yes, ['a'], batch_size=1)
    assert memory.slots[0, :number, 0].tolist() == [1.0, 2.0][:number]
    dist.destroy_process_group()
