"""Checkpoints are read without running what they contain: first the trap, then the protection."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner.checkpoint import load_from_http

from mmwsss import checkpoints
from mmwsss.structures import UserInputError


class Attack:
    """Creates a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def attack(tmp_path):
    """A checkpoint that creates the folder ``attacked`` next to it."""
    path = tmp_path / 'attack.pth'
    torch.save(dict(state_dict={}, meta=Attack(tmp_path / 'attacked')), path)
    return path


class ToyModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, inputs, mode='tensor'):
        return dict(loss=self.linear(torch.stack(inputs)).square().mean())


def toy_runner(work_dir: Path, *, max_iters: int, resume: bool = False) -> Runner:
    return Runner(
        ToyModel(),
        str(work_dir),
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            dataset=[dict(inputs=row) for row in torch.arange(8.0).view(4, 2)],
            sampler=dict(type='InfiniteSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=False, max_iters=max_iters),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.01)),
        param_scheduler=[dict(type='PolyLR', by_epoch=False, end=8)],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)),
        default_scope='mmwsss',
        experiment_name=f'toy-{work_dir.name}-{max_iters}-{resume}',
        resume=resume,
    )


def test_without_mmwsss_the_fork_runs_the_code_in_a_checkpoint(attack, tmp_path):
    checkpoint = pytest.importorskip('mmengine.runner.checkpoint')
    if not hasattr(checkpoint, '_safe_torch_load'):
        pytest.skip('only the fork falls back to running code')
    checkpoint._safe_torch_load(attack)
    assert (tmp_path / 'attacked').exists()


def test_code_in_a_checkpoint_is_refused_in_one_line_and_not_run(attack, tmp_path):
    with pytest.raises(UserInputError, match=r'mkdir.*MMWSSS_TRUST_CHECKPOINTS=1') as error:
        CheckpointLoader.load_checkpoint(str(attack))
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'attacked').exists()


def test_code_in_a_downloaded_checkpoint_is_refused_and_not_run(attack, tmp_path):
    with pytest.raises(UserInputError, match='refused'):
        load_from_http('http://unreachable.invalid/attack.pth', model_dir=str(tmp_path))
    assert not (tmp_path / 'attacked').exists()


def test_the_environment_variable_lets_a_trusted_checkpoint_run(attack, tmp_path, monkeypatch):
    monkeypatch.setenv(checkpoints.TRUST_VARIABLE, '1')
    CheckpointLoader.load_checkpoint(str(attack))
    assert (tmp_path / 'attacked').exists()


def test_a_history_as_mmengine_saves_it_cannot_be_read_safely(tmp_path, monkeypatch):
    monkeypatch.setattr(
        HistoryBuffer,
        '__getstate__',
        lambda self: {**vars(self), 'statistics_methods': self._statistics_methods},
    )
    torch.save(HistoryBuffer([1.0], [1]), tmp_path / 'history.pth')
    with pytest.raises(UserInputError, match='refused'):
        checkpoints.load_checkpoint_file(tmp_path / 'history.pth')


def test_a_history_survives_a_checkpoint(tmp_path):
    history = HistoryBuffer([1.0, 2.0, 6.0], [1, 1, 1], max_length=3)
    torch.save(history, tmp_path / 'history.pth')
    loaded = checkpoints.load_checkpoint_file(tmp_path / 'history.pth')
    assert loaded.statistics('mean') == 3
    loaded.update(1.0)
    assert loaded.data[0].tolist() == [2, 6, 1]


def test_methods_in_a_trusted_history_replace_none_of_the_program(tmp_path):
    history = HistoryBuffer()
    history.__setstate__({'max_length': 5, 'statistics_methods': {'mean': print}})
    assert HistoryBuffer._statistics_methods['mean'] is HistoryBuffer.mean
    assert history.max_length == 5


@pytest.mark.parametrize(
    'value',
    [np.float64(0.5), np.float32(0.5), np.int64(3), np.bool_(True), np.arange(3, dtype='u1')],
    ids=lambda value: str(value.dtype),
)
def test_numbers_of_numpy_survive_a_checkpoint(tmp_path, value):
    torch.save(dict(best_score=value), tmp_path / 'numbers.pth')
    loaded = checkpoints.load_checkpoint_file(tmp_path / 'numbers.pth')['best_score']
    assert loaded.dtype == value.dtype
    assert (loaded == value).all()


def test_data_stays_readable_after_the_fork_has_loaded_a_file_by_itself(tmp_path):
    torch.save(dict(best_score=np.float64(0.5)), tmp_path / 'numbers.pth')
    with torch.serialization.safe_globals([np.dtype]):  # removes np.dtype from the list at its end
        pass
    assert checkpoints.load_checkpoint_file(tmp_path / 'numbers.pth')['best_score'] == 0.5


@pytest.mark.parametrize('folder', [b'numpy.core', b'numpy._core'])
def test_arrays_written_with_numpy_1_and_2_are_read_with_either(tmp_path, folder):
    path = tmp_path / 'array.pth'
    # Not a zip file: the names in it can be replaced.
    torch.save(np.arange(3), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b'numpy._core', folder))
    assert checkpoints.load_checkpoint_file(path).tolist() == [0, 1, 2]


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 cut off', b'not a checkpoint'])
def test_a_file_that_is_no_checkpoint_is_a_users_error_in_one_line(tmp_path, content):
    path = tmp_path / 'broken.pth'
    path.write_bytes(content)
    with pytest.raises(UserInputError, match='cannot be read as a PyTorch checkpoint') as error:
        checkpoints.load_checkpoint_file(path)
    assert '\n' not in str(error.value)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pth does not exist'):
        checkpoints.load_checkpoint_file(tmp_path / 'nowhere.pth')


def test_a_run_resumes_from_its_own_checkpoint_as_if_it_had_never_stopped(tmp_path):
    torch.manual_seed(0)
    straight = toy_runner(tmp_path / 'straight', max_iters=4)
    start = {key: value.clone() for key, value in straight.model.state_dict().items()}
    straight.train()

    stopped = toy_runner(tmp_path / 'stopped', max_iters=2)
    stopped.model.load_state_dict(start)
    stopped.train()
    checkpoint = tmp_path / 'stopped' / 'iter_2.pth'
    assert torch.load(checkpoint, weights_only=True)['meta']['iter'] == 2

    resumed = toy_runner(tmp_path / 'stopped', max_iters=4, resume=True)
    resumed.train()
    assert resumed.iter == 4
    losses = [run.message_hub.get_scalar('train/loss').data[0] for run in (straight, resumed)]
    assert len(losses[0]) == 4
    assert losses[1].tolist() == losses[0].tolist()
    for key, value in straight.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[key], value, rtol=0, atol=0)
