from pathlib import Path

import pytest
from mmengine.dataset import DefaultSampler
from mmengine.model import BaseModel
from mmengine.runner import Runner


@pytest.fixture
def train_with(tmp_path):
    """Train a model with a hook on one item after another, saving every second iteration."""

    def train(
        model: BaseModel,
        hook: dict,
        items: list[dict],
        name: str,
        max_iters: int,
        *,
        load_from: Path | None = None,
    ) -> None:
        Runner(
            model,
            work_dir=str(tmp_path / name),
            train_dataloader=dict(
                dataset=items,
                sampler=dict(type=DefaultSampler, shuffle=False),
                batch_size=1,
            ),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)),
            custom_hooks=[hook],
            default_scope='mmwsss',
            experiment_name=f'{tmp_path.name}_{name}',
            load_from=load_from and str(load_from),
            resume=load_from is not None,
            log_level='ERROR',
        ).train()

    return train
