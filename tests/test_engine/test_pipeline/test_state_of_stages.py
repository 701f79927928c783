"""What a pipeline runs again, what it skips and where it continues, as a user starts it."""

import io
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

DEMO = Path(__file__).parents[3] / 'configs/demo'
SHORT = "_base_ = ['{base}']\ntrain_cfg = dict(max_iters={iters})\n"
CLASSIFIER = """
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))
test_cfg = dict(
    num_workers=0,
    generator=dict(
        labels=dict(
            _delete_=True,
            seed=dict(background=dict(type='PowerBackground', alpha=2), refiners=[]),
        )
    ),
)
"""
PIPELINE = """
stages = [
    dict(name='warmup', config='warmup.py'),
    dict(name='classifier', config='classifier.py', takes={'load_from': 'warmup.checkpoint'}),
    dict(
        name='labels',
        config='classifier.py',
        task='test',
        takes={'load_from': 'classifier.checkpoint'},
    ),
    dict(
        name='segmentor',
        config='segmentor.py',
        takes={'train_dataloader.dataset.data_prefix.seg_map_path': 'labels.seed'},
    ),
]
"""
STAGES = ['warmup', 'classifier', 'labels', 'segmentor']


class Pipeline:
    """A pipeline of four short stages in a folder with its own data."""

    def __init__(self, warm, folder, data):
        self.warm, self.folder, self.data = warm, folder, data
        self.work = folder / 'work'

    def start(self, *arguments, data=None):
        argv = ['tools/train.py', self.folder / 'pipeline.py', '--work-dir', self.work, *arguments]
        environment = dict(MMWSSS_DATA=data or self.data)
        return self.warm.start(argv, environment=environment, logs=self.folder)

    def run(self, *arguments, code=0, data=None):
        """Run it; return the names of the stages that started, and the output."""
        run = self.start(*arguments, data=data)
        assert run.wait() == code, run.output[-3000:]
        assert 'Traceback' not in run.output
        lines = run.stdout.splitlines()
        started = [s for s in STAGES if any(line.endswith(f' of 4: {s}') for line in lines)]
        return started, run.output

    def labels(self):
        return {path.name: path.read_bytes() for path in (self.work / 'labels').rglob('*.png')}

    def checkpoint(self, stage):
        (path,) = (self.work / stage).glob('iter_*.pth')
        return path


@pytest.fixture(scope='module')
def finished(warm, shapes_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('pipeline')
    base = f"_base_ = ['{DEMO}/"
    classifier = base + "bana-classifier_resnet18_shapes-96x96.py']\n" + CLASSIFIER
    (folder / 'warmup.py').write_text(classifier + 'train_cfg = dict(max_iters=4)\n')
    (folder / 'classifier.py').write_text(classifier + 'train_cfg = dict(max_iters=3)\n')
    (folder / 'segmentor.py').write_text(
        base + "psa-ce_resnet18_shapes-96x96.py']\ntrain_cfg = dict(max_iters=2, val_interval=2)\n"
    )
    (folder / 'pipeline.py').write_text(PIPELINE)
    pipeline = Pipeline(warm, folder, shapes_data)
    assert pipeline.run()[0] == STAGES
    return pipeline


@pytest.fixture
def pipeline(finished, tmp_path):
    """A copy of the finished pipeline and its data."""
    shutil.copytree(finished.folder, tmp_path / 'pipeline')
    shutil.copytree(finished.data, tmp_path / 'data')
    copied = Pipeline(finished.warm, tmp_path / 'pipeline', tmp_path / 'data')
    for path in copied.work.glob('*/stage.json'):  # like a folder that was moved
        path.write_text(path.read_text().replace(str(finished.work), str(copied.work)))
    return copied


def test_nothing_runs_again_for_moved_data_and_the_same_settings_in_other_words(pipeline):
    moved = shutil.move(pipeline.data, pipeline.data.with_name('moved'))
    started, printed = pipeline.run(
        *('--cfg-options', 'classifier.model.neck=None', 'segmentor.model.decode_head.in_index=0'),
        *('warmup.optim_wrapper.optimizer.eps=1e-8', 'warmup.default_hooks.logger.interval=7'),
        *('labels.test_cfg.generator.labels.seed.background.alpha=2.0', 'warmup.load_from=None'),
        data=moved,
    )
    assert started == []
    assert printed.count('is finished') == 4


@pytest.mark.slow
def test_a_changed_setting_runs_its_stage_and_those_after_it(pipeline):
    option = 'labels.test_cfg.generator.labels.seed.background.alpha=1'
    started, printed = pipeline.run('--cfg-options', option)
    assert started == ['labels', 'segmentor']
    assert 'other settings or data: test_cfg;' in printed


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        return image.tobytes()


def replace_class(shapes):
    ids = (shapes / 'ImageSets/Segmentation/train.txt').read_text().split()
    path = shapes / 'Annotations' / f'{ids[0]}.xml'
    for name in ('disc', 'triangle', 'cross'):
        path.write_text(path.read_text().replace(f'<name>{name}<', '<name>ring<'))


def remove_ids(shapes):
    path = shapes / 'ImageSets/Segmentation/train.txt'
    path.write_text('\n'.join(path.read_text().split()[:-1]))


def replace_image(shapes):
    ids = (shapes / 'ImageSets/Segmentation/train.txt').read_text().split()
    shutil.copy(shapes / f'JPEGImages/{ids[1]}.jpg', shapes / f'JPEGImages/{ids[0]}.jpg')


slow = pytest.mark.slow


@pytest.mark.parametrize(
    'change',
    [replace_image, pytest.param(replace_class, marks=slow), pytest.param(remove_ids, marks=slow)],
)
def test_changed_data_run_every_stage_again(pipeline, change):
    before = pipeline.labels()
    change(pipeline.data / 'shapes')
    started, printed = pipeline.run()
    assert started == STAGES
    assert 'files of train_dataloader.dataset' in printed
    assert pipeline.labels() != before


@pytest.mark.slow
def test_a_checkpoint_that_was_overwritten_makes_new_labels(pipeline):
    path = pipeline.checkpoint('classifier')
    content = torch.load(path, weights_only=True)
    name = next(name for name in content['state_dict'] if name.startswith('head'))
    content['state_dict'][name] += 1
    torch.save(content, path)
    assert pipeline.run()[0][0] == 'labels'


@pytest.mark.slow
def test_first_weights_that_changed_train_again(pipeline):
    weights = pipeline.folder / 'first.pth'
    state = torch.load(pipeline.checkpoint('warmup'), weights_only=True)['state_dict']
    backbone = {k.removeprefix('backbone.'): v for k, v in state.items() if 'backbone' in k}
    torch.save(backbone, weights)
    option = (
        'warmup.model.backbone.init_cfg.type=Pretrained',
        f'warmup.model.backbone.init_cfg.checkpoint={weights}',
    )
    run = ('--stages', 'warmup', '--cfg-options', *option)
    assert pipeline.run(*run)[0] == ['warmup']
    assert pipeline.run(*run)[0] == []
    torch.save({k: v * 2 for k, v in backbone.items()}, weights)
    assert pipeline.run(*run)[0] == ['warmup']


def test_a_stage_whose_checkpoint_is_gone_is_not_finished(pipeline):
    pipeline.checkpoint('segmentor').unlink()
    started, printed = pipeline.run()
    assert started == ['segmentor']
    assert "is gone; stage 'segmentor' runs again" in printed


@pytest.mark.slow
def test_selected_stages_say_that_what_they_take_would_be_another_now(pipeline):
    replace_image(pipeline.data / 'shapes')
    started, printed = pipeline.run('--stages', 'labels')
    assert started == ['labels']
    assert "the result of stage 'classifier' is taken as it is" in printed
    assert "the result of stage 'warmup'" not in printed  # `labels` takes nothing from it


@pytest.mark.slow
def test_missing_and_damaged_labels_heal_and_nothing_else_runs(pipeline):
    before = pipeline.labels()
    first, second = sorted((pipeline.work / 'labels/labels/seed').glob('*.png'))[:2]
    first.unlink()
    second.write_bytes(second.read_bytes()[:100])
    started, printed = pipeline.run()
    assert started == ['labels']
    assert 'images already labelled: 10 of 12' in printed
    assert pipeline.labels() == before


def test_a_label_corrected_by_hand_is_kept_and_trained_on(pipeline):
    path = sorted((pipeline.work / 'labels/labels/seed').glob('*.png'))[0]
    original = path.read_bytes()
    label = np.array(Image.open(path))
    label[:10] = 3
    Image.fromarray(label).save(path)
    corrected = path.read_bytes()
    started, printed = pipeline.run()
    assert 'segmentor' in started
    assert "label maps without this tool's mark" in printed and '1 (images: 1)' in printed
    assert path.read_bytes() == corrected
    started, _ = pipeline.run('--overwrite')
    assert path.read_bytes() == original


def test_a_run_with_other_settings_that_was_killed_leaves_nothing_finished(pipeline):
    reference = pipeline.labels()
    run = pipeline.start('--cfg-options', 'classifier.optim_wrapper.optimizer.lr=0.5')
    run.until(lambda: not (pipeline.work / 'classifier/stage.json').exists())
    run.kill(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    started, _ = pipeline.run()
    assert started == STAGES[1:]
    again = pipeline.labels()
    assert again.keys() == reference.keys()
    for name, png in again.items():  # their marks differ with the date in the checkpoint
        assert pixels(png) == pixels(reference[name])


def test_a_second_training_goes_on_from_its_own_checkpoint(pipeline):
    folder = pipeline.work / 'classifier'
    shutil.rmtree(folder)
    run = pipeline.start('--stages', 'classifier')
    run.until(lambda: (folder / 'last_checkpoint').exists())
    run.kill(signal.SIGKILL)
    run.wait()
    killed_at = torch.load(pipeline.checkpoint('classifier'), weights_only=True)['meta']['iter']
    assert not (folder / 'stage.json').exists()
    started, printed = pipeline.run('--resume', '--stages', 'classifier')
    assert started == ['classifier']
    assert f'iter_{killed_at}.pth, iteration {killed_at}' in printed  # not 4, the warm-up's
    resumed = torch.load(pipeline.checkpoint('classifier'), weights_only=True)
    assert resumed['meta']['iter'] == 3
    warmup = torch.load(pipeline.checkpoint('warmup'), weights_only=True)
    assert resumed['meta']['stage'] != warmup['meta']['stage']


DAMAGES = ('', '{"outputs": {', '{}', '7', '{"outputs": 1}')


@pytest.mark.parametrize('content', ['[]', *(pytest.param(text, marks=slow) for text in DAMAGES)])
def test_a_damaged_state_is_repaired_by_running_again(pipeline, content):
    for name in ('labels/stage.json', 'labels/started.json', 'contents.json'):
        (pipeline.work / name).write_text(content)
    (pipeline.work / 'labels/labels/manifest.json').write_text(content)
    started, printed = pipeline.run('--stages', 'labels,segmentor')
    assert started == ['labels']
    assert 'labels/stage.json' in printed
    assert json.loads((pipeline.work / 'labels/stage.json').read_text())['outputs']
