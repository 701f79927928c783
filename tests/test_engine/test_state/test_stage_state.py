"""Where a training continues."""

import os

import pytest
import torch

from mmwsss.engine.state.stage_state import StageState


@pytest.fixture
def folder(tmp_path):
    """Iterations 2 and 4, written in this order; ``last_checkpoint`` names the first."""
    for second, iteration in enumerate((2, 4)):
        path = tmp_path / f'iter_{iteration}.pth'
        meta = dict(iter=iteration, epoch=0)
        torch.save(dict(meta=meta, state_dict={}, message_hub={}), path)
        os.utime(path, (2 * second, 2 * second))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_2.pth'))
    os.utime(tmp_path / 'last_checkpoint', (1, 1))
    return tmp_path


def test_a_checkpoint_that_was_complete_before_it_was_noted_is_the_last(folder):
    assert StageState(folder).checkpoint() == (str(folder / 'iter_4.pth'), '')


def test_a_checkpoint_from_before_the_note_is_not_the_last(folder):
    os.utime(folder / 'iter_4.pth', (0, 0))
    assert StageState(folder).checkpoint() == (str(folder / 'iter_2.pth'), '')


def test_an_earlier_iteration_is_not_the_last_though_its_file_is_newer(folder):
    (folder / 'last_checkpoint').write_text('iter_4.pth')
    os.utime(folder / 'last_checkpoint', (1, 1))
    os.utime(folder / 'iter_2.pth', (3, 3))
    assert StageState(folder).checkpoint() == (str(folder / 'iter_4.pth'), '')


def test_a_later_checkpoint_that_is_cut_is_not_the_last(folder):
    content = (folder / 'iter_4.pth').read_bytes()
    (folder / 'iter_4.pth').write_bytes(content[:-100])
    assert StageState(folder).checkpoint() == (str(folder / 'iter_2.pth'), '')


def test_the_note_names_the_checkpoint_that_a_finished_training_ends_with(folder):
    StageState(folder).name_last(str(folder / 'iter_4.pth'))
    assert (folder / 'last_checkpoint').read_text() == str(folder / 'iter_4.pth')
