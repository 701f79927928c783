"""Every training ends with a checkpoint of its last iteration."""

import itertools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn

from mmwsss.engine.pipeline.stage import build_runner, run_built
from mmwsss.registry import DATASETS, METRICS, MODELS

_runs = itertools.count()


@MODELS.register_module()
class OneWeight(BaseModel):
    """Learns one number."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss=(self.weight**2).sum()) if mode == 'loss' else [0]


@DATASETS.register_module()
class Numbers:
    """Twelve numbers."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return dict(inputs=torch.zeros(1), data_samples=index)


@METRICS.register_module()
class NeverBetter:
    """The same figure at every validation."""

    dataset_meta = None

    def process(self, data_batch, data_samples):
        """Nothing to collect."""

    def evaluate(self, size):
        return dict(mIoU=50.0)


def loader():
    sampler = dict(type='DefaultSampler', shuffle=False)
    return dict(batch_size=1, num_workers=0, sampler=sampler, dataset=dict(type='Numbers'))


def runner_of(folder, loop, checkpoint, hooks=(), **options):
    config = Config(
        dict(
            default_scope='mmwsss',
            model=dict(type='OneWeight'),
            train_dataloader=loader(),
            train_cfg=loop,
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            val_dataloader=loader(),
            val_cfg=dict(type='ValLoop'),
            val_evaluator=[dict(type='NeverBetter')],
            custom_hooks=list(hooks),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', **checkpoint)),
        )
    )
    return build_runner(config, folder / str(next(_runs)) / 'stage', task='train', **options)


EARLY = [dict(type='EarlyStoppingHook', monitor='mIoU', patience=1)]
BY_ITERATION = dict(type='IterBasedTrainLoop', max_iters=9, val_interval=2)
BY_EPOCH = dict(type='EpochBasedTrainLoop', max_epochs=5, val_interval=1)


@pytest.mark.parametrize(
    ('loop', 'checkpoint', 'name', 'iteration'),
    [
        (BY_ITERATION, dict(by_epoch=False, interval=100), 'iter_4.pth', 4),
        (BY_ITERATION, dict(by_epoch=False, interval=3, max_keep_ckpts=1), 'iter_4.pth', 4),
        (BY_ITERATION, dict(by_epoch=False, interval=2), 'iter_4.pth', 4),
        (BY_EPOCH, dict(interval=100), 'epoch_2.pth', 24),
    ],
)
def test_a_training_that_stops_early_ends_with_a_checkpoint_of_that_iteration(
    loop, checkpoint, name, iteration, tmp_path
):
    # The second validation is not better than the first.
    runner = runner_of(tmp_path, loop, checkpoint, EARLY)
    path = run_built(runner, 'train').outputs['checkpoint']
    assert path.endswith(f'/{name}')
    assert torch.load(path)['meta']['iter'] == iteration
    state = torch.load(path)['state_dict']
    assert torch.equal(state['weight'], runner.model.weight.detach())


def test_a_training_that_does_not_save_its_last_iteration_by_itself_has_it_nevertheless(tmp_path):
    options = dict(by_epoch=False, interval=5, save_last=False, max_keep_ckpts=1)
    runner = runner_of(tmp_path, BY_ITERATION, options)
    assert run_built(runner, 'train').outputs['checkpoint'].endswith('/iter_9.pth')
    assert [path.name for path in Path(runner.work_dir).glob('*.pth')] == ['iter_9.pth']


def test_a_training_with_nothing_left_to_do_writes_nothing(tmp_path):
    options = dict(by_epoch=False, interval=100)
    first = run_built(runner_of(tmp_path, BY_ITERATION, options), 'train').outputs['checkpoint']
    runner = runner_of(tmp_path, BY_ITERATION, options, resume_from=first)
    runner.train()
    assert not list(Path(runner.work_dir).glob('*.pth'))
