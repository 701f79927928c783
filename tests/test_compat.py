"""Each trap of the installed packages: first that it is there, then that mmwsss mends it."""

import importlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import mmcv
import mmengine
import numpy as np
import pytest
import torch
from faults.warm import PATIENCE
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner.checkpoint import load_from_http
from mmengine.utils.dl_utils import mmcv_full_available

from mmwsss import compat
from mmwsss.structures import UserInputError


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def attack(tmp_path):
    """A checkpoint that makes the folder ``attacked`` beside it."""
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


# Configs of other packages


def test_a_config_of_mmseg_is_found_whatever_its_distribution_is_called(monkeypatch, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmseg::_base_/datasets/pascal_voc12.py'\n")
    if MODULE2PACKAGE['mmseg'].startswith('onedl-'):
        monkeypatch.setitem(MODULE2PACKAGE, 'mmseg', 'mmsegmentation')
        with pytest.raises(ModuleNotFoundError, match='mmsegmentation is not installed'):
            Config.fromfile(config)
    compat.name_installed_packages()
    assert Config.fromfile(config).dataset_type == 'PascalVOCDataset'


def test_packages_that_no_fork_provides_keep_their_names():
    assert MODULE2PACKAGE['mmdet'] == 'mmdet'


# Messages


def test_importing_the_packages_says_nothing():
    imported = run_python('import mmwsss, mmseg.datasets, mmpretrain.datasets, mmcv.cnn.bricks')
    assert 'OneDL' not in imported.stdout
    assert 'MultiScaleDeformableAttention' not in imported.stderr
    assert imported.returncode == 0, imported.stderr


def test_a_message_for_information_is_still_printed(capsys):
    mmengine.logging.print_log('for debugging', level=logging.DEBUG)
    mmengine.logging.print_log('for information')
    assert capsys.readouterr().out == 'for information\n'


# Checkpoints


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
    monkeypatch.setenv(compat.TRUST_VARIABLE, '1')
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
        compat.load_checkpoint_file(tmp_path / 'history.pth')


def test_a_history_survives_a_checkpoint(tmp_path):
    history = HistoryBuffer([1.0, 2.0, 6.0], [1, 1, 1], max_length=3)
    torch.save(history, tmp_path / 'history.pth')
    loaded = compat.load_checkpoint_file(tmp_path / 'history.pth')
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
    loaded = compat.load_checkpoint_file(tmp_path / 'numbers.pth')['best_score']
    assert loaded.dtype == value.dtype
    assert (loaded == value).all()


def test_data_stays_readable_after_the_fork_has_loaded_a_file_by_itself(tmp_path):
    torch.save(dict(best_score=np.float64(0.5)), tmp_path / 'numbers.pth')
    with torch.serialization.safe_globals([np.dtype]):  # takes np.dtype off the list at its end
        pass
    assert compat.load_checkpoint_file(tmp_path / 'numbers.pth')['best_score'] == 0.5


@pytest.mark.parametrize('folder', [b'numpy.core', b'numpy._core'])
def test_arrays_written_with_numpy_1_and_2_are_read_with_either(tmp_path, folder):
    path = tmp_path / 'array.pth'
    # Not a zip file: the names in it can be replaced.
    torch.save(np.arange(3), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b'numpy._core', folder))
    assert compat.load_checkpoint_file(path).tolist() == [0, 1, 2]


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 cut off', b'not a checkpoint'])
def test_a_file_that_is_no_checkpoint_is_a_users_error_in_one_line(tmp_path, content):
    path = tmp_path / 'broken.pth'
    path.write_bytes(content)
    with pytest.raises(UserInputError, match='cannot be read as a checkpoint') as error:
        compat.load_checkpoint_file(path)
    assert '\n' not in str(error.value)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pth does not exist'):
        compat.load_checkpoint_file(tmp_path / 'nowhere.pth')


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


# torchvision


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=PATIENCE
    )


def test_torchvision_can_be_imported_beside_any_build_of_pytorch():
    without = run_python('import torchvision')
    if without.returncode == 0:
        pytest.skip('the compiled part of torchvision fits this PyTorch')
    assert 'torchvision::nms does not exist' in without.stderr
    with_mmwsss = run_python('import mmwsss, torchvision; mmwsss.compat.apply()')
    assert with_mmwsss.returncode == 0, with_mmwsss.stderr


@pytest.fixture
def torchvision_not_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, 'torchvision', raising=False)
    monkeypatch.setattr(compat, '_torchvision_library', None)


def test_nothing_is_declared_when_the_compiled_part_loads(monkeypatch, torchvision_not_imported):
    monkeypatch.setattr(compat.torch.ops, 'load_library', lambda path: None)
    compat.declare_torchvision_operators()
    assert compat._torchvision_library is None


def test_nothing_is_declared_without_torchvision(monkeypatch, torchvision_not_imported):
    monkeypatch.setattr(compat.importlib.util, 'find_spec', lambda name: None)
    compat.declare_torchvision_operators()
    assert compat._torchvision_library is None


def test_calling_an_operator_that_is_only_declared_says_so():
    if compat._torchvision_library is None:
        pytest.skip('the compiled part of torchvision fits this PyTorch')
    with pytest.raises(NotImplementedError, match='torchvision::nms'):
        torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)


# mmcv


@pytest.fixture
def mmcv_without_operators(monkeypatch):
    """What the original mmcv is without its compiled part; the forks never have one."""
    monkeypatch.delitem(sys.modules, 'mmcv._ext', raising=False)
    monkeypatch.setattr(compat, '_is_distribution', lambda name: False)
    monkeypatch.setattr(compat, '_find_library', lambda package, name: None)
    yield
    sys.modules.pop('mmcv._ext', None)


def test_an_operator_that_mmcv_was_not_compiled_with_fails_when_it_is_called(
    mmcv_without_operators,
):
    compat.replace_missing_mmcv_operators()
    operators = importlib.import_module('mmcv._ext')
    with pytest.raises(NotImplementedError, match='roi_align_forward is compiled'):
        operators.roi_align_forward()


original_mmcv = pytest.mark.skipif(
    not compat._is_distribution('mmcv-lite'), reason='needs the original mmcv, not compiled'
)


@original_mmcv
def test_mmengine_does_not_take_mmcv_for_a_compiled_one():
    assert not mmcv_full_available()


@original_mmcv
def test_mmseg_can_be_imported_beside_an_mmcv_without_operators():
    models = 'mmseg.models, mmpretrain.models'
    assert "No module named 'mmcv._ext'" in run_python(f'import {models}').stderr
    with_mmwsss = run_python(f'import mmwsss, {models}')
    assert with_mmwsss.returncode == 0, with_mmwsss.stderr


# Colours


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize(('turn', 'colour'), [(1 / 3, 'green'), (-1 / 3, 'blue'), (0.0, 'red')])
def test_a_third_of_a_turn_makes_green_of_red_and_back_blue(turn, colour, backend):
    red = np.full((2, 3, 3), [0, 0, 255], np.uint8)  # blue, green, red
    expected = {'blue': [255, 0, 0], 'green': [0, 255, 0], 'red': [0, 0, 255]}[colour]
    compat.apply()  # twice is as good as once
    turned = mmcv.adjust_hue(red, turn, backend=backend)
    assert turned.dtype == np.uint8
    np.testing.assert_allclose(turned.astype(int), np.broadcast_to(expected, red.shape), atol=6)
