"""Checkpoints, weights and classes that do not fit end a tool in one line, before it writes."""

import shutil

import pytest
import torch

from faults.checkpoints import MISFITS, NOT_A_MODEL, NOT_READ, NOT_RESUMED

CLASSIFIER = 'configs/demo/psa-cam_resnet18_shapes-96x96.py'
SEGMENTOR = 'configs/demo/psa-ce_resnet18_shapes-96x96.py'
QUICK = ('train_cfg.max_iters=2', 'train_dataloader.batch_size=2', 'train_dataloader.num_workers=0')
QUICK += ('train_dataloader.persistent_workers=False', 'default_hooks.checkpoint.interval=1')
QUICK += ('default_hooks.checkpoint.max_keep_ckpts=-1',)
LABELS = ('test_cfg.num_workers=0', 'test_dataloader.num_workers=0')
LABELS += ('test_dataloader.persistent_workers=False',)
NO_CHECKPOINT = {**NOT_READ, **NOT_A_MODEL, **MISFITS}


@pytest.fixture(scope='module')
def run(warm, shapes_data):
    """Run a tool on the shapes to its end."""

    def to_end(tool, *arguments, options=()):
        overrides = ['--cfg-options', *options] if options else []
        return warm.run(
            [f'tools/{tool}.py', *arguments, *overrides],
            environment=dict(MMWSSS_DATA=shapes_data),
        )

    return to_end


@pytest.fixture(scope='module')
def trained(run, tmp_path_factory):
    """Work folder of a classifier that was trained for two iterations."""
    folder = tmp_path_factory.mktemp('trained')
    done = run('train', CLASSIFIER, '--work-dir', folder, options=QUICK)
    assert done.code == 0, done.output
    return folder


def assert_refused(done, *words):
    """The tool ended with exit code 2 and one line that contains these words."""
    assert 'Traceback' not in done.output, done.output
    assert done.code == 2, done.output
    lines = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1
    assert done.stderr.rstrip().endswith(lines[0])
    for word in words:
        assert word in lines[0]


def assert_no_labels(folder):
    assert not list(folder.rglob('*.png'))
    assert not list(folder.rglob('*.npz'))


def label(run, checkpoint, folder, *options):
    return run(
        'generate_pseudo_labels',
        *(CLASSIFIER, checkpoint, '--work-dir', folder),
        options=(*LABELS, *options),
    )


@pytest.mark.slow
def test_the_checkpoint_of_a_training_labels_and_is_counted(run, trained, tmp_path):
    done = label(run, trained / 'iter_2.pth', tmp_path)
    assert done.code == 0, done.output
    (log,) = tmp_path.glob('*/*.log')
    assert 'iter_2.pth: 133 of 133 tensors loaded' in log.read_text()
    assert len(list(tmp_path.rglob('*.png'))) == 3 * 12


def test_no_label_is_made_without_the_head(run, trained, tmp_path):
    MISFITS['backbone alone'](trained / 'iter_2.pth', tmp_path / 'wrong.pth')
    done = label(run, tmp_path / 'wrong.pth', tmp_path)
    assert_refused(done, 'wrong.pth does not fit', '132 of 133', '1 (head.classifier.weight) miss')
    assert_no_labels(tmp_path)


def test_no_label_is_made_with_other_classes_than_those_of_the_data(run, trained, tmp_path):
    done = label(run, trained / 'iter_2.pth', tmp_path, 'model.head.num_classes=3')
    assert_refused(done, 'model.head (CAMHead) has num_classes=3', '4 foreground classes')
    assert_no_labels(tmp_path)


@pytest.mark.slow
def test_a_segmentor_is_not_tested_with_a_classifier(run, trained, tmp_path):
    done = run('test', SEGMENTOR, trained / 'iter_2.pth', '--work-dir', tmp_path)
    assert_refused(done, 'iter_2.pth does not fit the model EncoderDecoder')


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('load_from={wrong}', ['wrong.pth does not fit the model CAMClassifier', 'load_new']),
        ('model.head.num_classes=5', ['model.head (CAMHead) has num_classes=5']),
        (
            'model.backbone.init_cfg.checkpoint={other}',
            ['other.pth does not fit ResNetV1c: none of its'],
        ),
    ],
)
def test_a_training_does_not_start_with_what_does_not_fit(run, trained, tmp_path, option, words):
    MISFITS['every second tensor'](trained / 'iter_2.pth', tmp_path / 'wrong.pth')
    torch.save({'fc.weight': torch.zeros(2)}, tmp_path / 'other.pth')
    options = [option.format(wrong=tmp_path / 'wrong.pth', other=tmp_path / 'other.pth')]
    if 'init_cfg' in option:
        options.append('model.backbone.init_cfg.type=Pretrained')
    done = run('train', CLASSIFIER, '--work-dir', tmp_path, options=(*QUICK, *options))
    assert_refused(done, *words)
    assert not list(tmp_path.glob('iter_*.pth'))


@pytest.mark.slow
def test_new_parts_of_a_training_are_named_in_its_config(run, trained, tmp_path):
    MISFITS['backbone alone'](trained / 'iter_2.pth', tmp_path / 'backbone.pth')
    options = (*QUICK, f'load_from={tmp_path / "backbone.pth"}', "load_new=('head.',)")
    done = run('train', CLASSIFIER, '--work-dir', tmp_path, options=options)
    assert done.code == 0, done.output
    assert 'new, so not loaded: 1 (head.classifier.weight)' in done.output


@pytest.mark.slow
@pytest.mark.parametrize('kind', NO_CHECKPOINT)
def test_every_wrong_file_is_refused_before_a_label_is_made(run, trained, tmp_path, kind):
    NO_CHECKPOINT[kind](trained / 'iter_2.pth', tmp_path / 'wrong.pth')
    assert_refused(label(run, tmp_path / 'wrong.pth', tmp_path), 'wrong.pth')
    assert_no_labels(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('kind', NOT_RESUMED)
def test_no_training_goes_on_from_a_damaged_state(run, trained, tmp_path, kind):
    work = shutil.copytree(trained, tmp_path / 'work')
    for path in (*work.glob('iter_*.pth'), *work.glob('*.json')):
        path.unlink()
    NOT_RESUMED[kind](trained / 'iter_1.pth', work / 'iter_1.pth')
    (work / 'last_checkpoint').write_text(str(work / 'iter_1.pth'))
    done = run('train', CLASSIFIER, '--work-dir', work, '--resume', options=QUICK)
    if done.code:
        assert_refused(done, 'iter_1.pth cannot be resumed')
        assert not (work / 'iter_2.pth').exists()
    else:  # so damaged that it does not count as a checkpoint: the training starts anew
        assert 'goes on from' not in done.output
        assert 'Traceback' not in done.output


@pytest.mark.slow
def test_a_training_goes_on_from_an_undamaged_state(run, trained, tmp_path):
    work = shutil.copytree(trained, tmp_path / 'work')
    (work / 'iter_2.pth').unlink()
    for path in work.glob('*.json'):
        path.unlink()
    (work / 'last_checkpoint').write_text(str(work / 'iter_1.pth'))
    done = run('train', CLASSIFIER, '--work-dir', work, '--resume', options=QUICK)
    assert done.code == 0, done.output
    assert 'iter_1.pth, iteration 1' in done.output
