"""Each trap of the installed packages: first that it exists, then that mmwsss fixes it."""

import importlib
import logging
import subprocess
import sys

import mmcv
import mmengine
import numpy as np
import pytest
import torch
from faults.warm import PATIENCE
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils.dl_utils import mmcv_full_available

from mmwsss import compat

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
    """The original mmcv without its compiled part, which the forks never have."""
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
    with pytest.raises(NotImplementedError, match='roi_align_forward is a compiled operator'):
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
    compat.apply()  # applying it twice changes nothing
    turned = mmcv.adjust_hue(red, turn, backend=backend)
    assert turned.dtype == np.uint8
    np.testing.assert_allclose(turned.astype(int), np.broadcast_to(expected, red.shape), atol=6)
