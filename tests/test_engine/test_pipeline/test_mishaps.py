"""What a user sees when a training diverges, or its files are replaced or damaged."""

import json
import shutil
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
CONFIGS = {
    # Six iterations, which leave checkpoints 4 and 6; labels `seed` and `low`.
    'classifier': f"""
_base_ = ['{ROOT}/tests/faults/configs/tiny-warmup.py']
default_hooks = dict(checkpoint=dict(max_keep_ckpts=2))
""",
    'segmentor': f"""
_base_ = ['{ROOT}/configs/demo/psa-ce_resnet18_shapes-96x96.py']
train_cfg = dict(max_iters=2, val_interval=2)
""",
    'tags': """
_base_ = ['classifier.py']
train_dataloader = dict(dataset=dict(label_file='tags.json'))
test_dataloader = dict(dataset=dict(label_file='tags.json'))
""",
    'pipeline': """
stages = [
    dict(name='training', config='tags.py'),
    dict(name='labels', config='tags.py', task='test', takes={'load_from': 'training.checkpoint'}),
]
""",
}


class Runs:
    """Runs of the tools in a folder with its own data."""

    def __init__(self, warm, folder, data):
        self.warm, self.folder, self.data = warm, folder, data
        self.shapes, self.training = data / 'shapes', folder / 'training'
        self.ids = (self.shapes / 'ImageSets/Segmentation/train.txt').read_text().split()

    def run(self, tool, config, *arguments, code=0):
        """Run a tool; return its output."""
        argv = [f'tools/{tool}.py', self.folder / f'{config}.py', *arguments]
        environment = dict(MMWSSS_DATA=self.data)
        run = self.warm.run(argv, environment=environment, logs=self.folder)
        assert run.code == code, run.output[-3000:]
        assert 'Traceback' not in run.output
        return run.output

    def refused(self, tool, config, *arguments):
        """Run a tool that ends with a user's mistake; return its one line."""
        output = self.run(tool, config, *arguments, code=2)
        (line,) = [line for line in output.splitlines() if line.startswith('error: ')]
        return line

    def make_labels(self):
        arguments = (self.training / 'iter_6.pth', '--work-dir', self.folder / 'labels')
        return self.run('generate_pseudo_labels', 'classifier', *arguments)

    def labels(self):
        return {path: path.read_bytes() for path in self.folder.glob('labels/**/*.png')}


@pytest.fixture(scope='module')
def trained(warm, shapes_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('mishaps')
    for name, text in CONFIGS.items():
        (folder / f'{name}.py').write_text(text)
    runs = Runs(warm, folder, shapes_data)
    runs.run('train', 'classifier', '--work-dir', runs.training)
    runs.make_labels()
    return runs


@pytest.fixture
def runs(trained, tmp_path):
    """A copy of the trained classifier, its labels and its data."""
    shutil.copytree(trained.folder, tmp_path / 'runs')
    shutil.copytree(trained.data, tmp_path / 'data')
    return Runs(trained.warm, tmp_path / 'runs', tmp_path / 'data')


def test_a_training_that_diverges_ends_in_one_line_and_leaves_no_weights_with_nan(runs):
    # The first step takes the weights to 1e30, which is finite; the scores of the next are not.
    options = ('optim_wrapper.optimizer.lr=1e30', 'default_hooks.checkpoint.interval=1')
    folder = runs.folder / 'diverged'
    line = runs.refused('train', 'classifier', '--work-dir', folder, '--cfg-options', *options)
    assert 'NaN or infinite' in line and 'Lower optim_wrapper.optimizer.lr' in line
    assert not (folder / 'stage.json').exists()
    checkpoints = sorted(folder.glob('*.pth'))
    assert checkpoints
    for path in checkpoints:
        weights = torch.load(path, weights_only=True)['state_dict'].values()
        assert all(weight.isfinite().all() for weight in weights), path
    assert not (folder / 'iter_6.pth').exists()


def test_the_label_tool_makes_the_labels_of_a_replaced_image_again_and_no_others(runs):
    before = runs.labels()
    first, second = (runs.shapes / 'JPEGImages' / f'{name}.jpg' for name in runs.ids[:2])
    shutil.copy(second, first)
    output, after = runs.make_labels(), runs.labels()
    assert 'images already labelled: 11 of 12' in output
    assert len(after) == 2 * 12
    changed = {path.stem for path in after if after[path] != before.get(path)}
    assert changed == {runs.ids[0]}


@pytest.mark.slow
def test_replaced_tags_train_and_label_again(runs):
    tags = runs.shapes / 'tags.json'
    tags.write_text(json.dumps({name: [0, 1] for name in runs.ids}))
    run = ('train', 'pipeline', '--work-dir', runs.folder / 'pipeline')
    output = runs.run(*run)
    assert output.count('  finished in') == 2
    assert runs.run(*run).count('is finished') == 2
    tags.write_text(json.dumps({name: [0, 2] for name in runs.ids}))
    output = runs.run(*run)
    assert 'files of train_dataloader.dataset' in output
    assert output.count('  finished in') == 2


@pytest.mark.parametrize(
    'damage',
    [
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        pytest.param(Path.unlink, marks=pytest.mark.slow),
    ],
)
def test_a_last_checkpoint_that_is_gone_or_damaged_is_one_warning_and_the_one_before_it_goes_on(
    runs, damage
):
    (runs.training / 'last_checkpoint').write_text(str(runs.training / 'iter_6.pth'))
    damage(runs.training / 'iter_6.pth')
    (runs.training / 'stage.json').unlink()
    output = runs.run('train', 'classifier', '--work-dir', runs.training, '--resume')
    (warning,) = [line for line in output.splitlines() if 'warning: ' in line]
    assert 'iter_6.pth' in warning
    assert 'iter_4.pth, iteration 4' in output
    assert torch.load(runs.training / 'iter_6.pth', weights_only=True)['meta']['iter'] == 6


@pytest.mark.parametrize(
    ('damage', 'remedy'),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:50]), 'run that stage again'),
        pytest.param(Path.unlink, 'rerun the stage that makes them', marks=pytest.mark.slow),
    ],
)
def test_a_pseudo_label_that_is_damaged_or_missing_is_named_with_the_stage_to_run(
    runs, damage, remedy
):
    broken = next(path for path in runs.labels() if path.parent.name == 'seed')
    damage(broken)
    option = f'train_dataloader.dataset.data_prefix.seg_map_path={broken.parent}'
    folder = ('--work-dir', runs.folder / 'segmentor')
    line = runs.refused('train', 'segmentor', *folder, '--cfg-options', option)
    assert broken.name in line
    assert remedy in line
