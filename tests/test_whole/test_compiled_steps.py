"""Training steps under torch.compile: the losses of every method are traced as one graph."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny_models import METHODS, batch, build
from torch import _dynamo, _inductor
from torch.testing import assert_close

from mmwsss.engine.pipeline.stage import build_runner, run_built

CONFIG = Path(__file__).parents[2] / 'configs/demo/psa-cam_resnet18_shapes-96x96.py'
QUICK = ('sbce', 'rca')
# Not mmseg's own head, because the accuracy that it logs selects pixels by a mask.
TRACED = [method for method in METHODS if method != 'segmentor']


@pytest.fixture(autouse=True)
def fresh_compiler():
    _dynamo.reset()
    _dynamo.utils.counters.clear()
    yield
    _dynamo.reset()


def step(method, compiled_by=None, phase=None):
    """Losses and gradients of a step, with the same weights and random numbers each time."""
    model = build(method)
    if phase is not None:
        model.objectives[0].set_phase(phase)
    loss_of = torch.compile(model.loss, backend=compiled_by) if compiled_by else model.loss
    torch.manual_seed(1)
    losses = loss_of(*batch())
    sum(loss for name, loss in losses.items() if 'loss' in name).backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return losses, grads


@pytest.mark.parametrize(
    'method', [m if m in QUICK else pytest.param(m, marks=pytest.mark.slow) for m in TRACED]
)
def test_a_step_is_one_graph_with_the_same_losses(method):
    found = step(method, compiled_by='eager')
    assert not _dynamo.utils.counters['graph_break']
    assert_close(found, step(method), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_other_phase_of_spatial_bce_is_one_graph_too():
    found = step('sbce', compiled_by='eager', phase='threshold')
    assert not _dynamo.utils.counters['graph_break']
    assert_close(found, step('sbce', phase='threshold'), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('method', ['cam', 'aeft', 'sbce'])  # compiling C++ takes minutes
def test_compiled_code_gives_the_losses_of_the_plain_step(method):
    with _inductor.config.patch(fallback_random=True):  # the same random numbers
        found = step(method, compiled_by='inductor')
    assert_close(found, step(method), rtol=1e-3, atol=1e-5)


@pytest.fixture
def runner(shapes_data, tmp_path, monkeypatch):
    """Build the runner of a training of two iterations with a value of ``compile``."""
    monkeypatch.setenv('MMWSSS_DATA', str(shapes_data))

    def with_option(value):
        config = Config.fromfile(CONFIG)
        changes = {'train_cfg.max_iters': 2, 'randomness': dict(seed=0), 'compile': value}
        config.merge_from_dict({**changes, 'train_dataloader.num_workers': 0})
        work_dir = tmp_path / type(value).__name__
        return build_runner(config, work_dir, task='train')

    return with_option


@pytest.mark.slow
def test_a_training_with_a_compiled_backbone_ends_with_the_same_weights(runner):
    ends = []
    for value in (False, dict(backend='eager')):
        built = runner(value)
        run_built(built, 'train')
        ends.append(built.model.state_dict())
    assert _dynamo.utils.counters['stats']['unique_graphs'] == 1
    assert_close(ends[1], ends[0], rtol=1e-4, atol=1e-6)
