import pytest
import torch
from torch.utils.data import Dataset

from mmwsss.engine.pipeline.runner import StageRunner


class Numbers(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return index


def loader(**options):
    config = dict(dataset=Numbers(), sampler=dict(type='DefaultSampler'), batch_size=1, **options)
    return StageRunner.build_dataloader(config, seed=0)


@pytest.mark.parametrize(('num_workers', 'stay'), [(0, False), (1, True)])
def test_worker_processes_stay_from_one_pass_to_the_next(num_workers, stay):
    assert loader(num_workers=num_workers).persistent_workers is stay


@pytest.mark.parametrize('available', [False, True])
def test_memory_is_pinned_where_there_is_a_gpu(available, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: available)
    assert loader(num_workers=0).pin_memory is available


def test_a_config_decides_otherwise(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    built = loader(num_workers=1, persistent_workers=False, pin_memory=False)
    assert not built.persistent_workers
    assert not built.pin_memory
