"""One stage in its own folder, started, changed and resumed as a user does it."""

import json

import pytest

CONFIG = 'configs/demo/bana-classifier_resnet18_shapes-96x96.py'


@pytest.fixture
def train(warm, shapes_data, tmp_path):
    def run(iterations, *arguments, lr='1e-3'):
        options = [f'train_cfg.max_iters={iterations}', f'optim_wrapper.optimizer.lr={lr}']
        argv = ['tools/train.py', CONFIG, '--work-dir', tmp_path / 'work', *arguments]
        done = warm.run(
            [*argv, '--cfg-options', *options], environment={'MMWSSS_DATA': shapes_data}
        )
        return done.code, done.output

    return run


def test_resume_does_not_take_the_finished_training_of_other_settings_for_its_own(train, tmp_path):
    assert train(2)[0] == 0
    code, printed = train(2, '--resume', lr='0.5')
    assert code == 2
    assert 'iter_2.pth was written with other settings or data, and nothing is left' in printed
    code, printed = train(3, '--resume', lr='0.5')
    assert code == 0
    assert 'iter_2.pth was written with other settings or data. The training goes on' in printed
    assert 'iter_2.pth, iteration 2' in printed
    assert list((tmp_path / 'work').glob('iter_3.pth'))


def test_outputs_are_noted_relative_to_the_folder_which_may_be_moved(train, tmp_path):
    assert train(1)[0] == 0
    noted = json.loads((tmp_path / 'work/stage.json').read_text())
    assert noted['outputs'] == {'checkpoint': 'iter_1.pth'}
