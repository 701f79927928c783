import json
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from faults.warm import rank_environments
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmwsss.registry import MODELS

ROOT = Path(__file__).parents[3]
TOOL = ROOT / 'tools/generate_pseudo_labels.py'
CONFIG = ROOT / 'configs/demo/bana-classifier_resnet18_shapes-96x96.py'
NAMES = ('seed', 'Y_crf', 'Y_ret')
# The processes of a pool import everything, which takes seconds. Only `undisturbed` and a killed
# run use one.
INLINE = ('--cfg-options', 'test_cfg.num_workers=0')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A classifier with random weights: labels need not be good here, only reproducible."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmwsss'):  # module fixtures come first
        model = MODELS.build(Config.fromfile(CONFIG).model)
    model.init_weights()
    path = tmp_path_factory.mktemp('checkpoint') / 'random.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
    return path


def command(checkpoint, out_dir, *options):
    work_dir = out_dir.parent / f'{out_dir.name}_work'
    return [TOOL, CONFIG, checkpoint, '--out-dir', out_dir, '--work-dir', work_dir, *options]


@pytest.fixture(scope='module')
def environment(shapes_data):
    return dict(MMWSSS_DATA=shapes_data)


@pytest.fixture(scope='module')
def generate(warm, checkpoint, environment):
    def run(out_dir, *options):
        return warm.run(command(checkpoint, out_dir, *options), environment=environment)

    return run


def content(out_dir):
    files = (p for p in sorted(out_dir.glob('*/*')) if p.is_file())
    return {str(p.relative_to(out_dir)): p.read_bytes() for p in files}


@pytest.fixture(scope='module')
def undisturbed(generate, tmp_path_factory):
    out_dir = tmp_path_factory.mktemp('labels') / 'undisturbed'
    done = generate(out_dir)
    assert done.code == 0, done.stderr[-2000:]
    return out_dir, done


def test_every_image_gets_a_palette_png_of_its_size_for_every_label_name(undisturbed, shapes_data):
    out_dir, _ = undisturbed
    ids = (shapes_data / 'shapes/ImageSets/Segmentation/train.txt').read_text().split()
    assert set(content(out_dir)) == {f'{name}/{i}.png' for name in NAMES for i in ids}
    for name in NAMES:
        with Image.open(out_dir / name / f'{ids[0]}.png') as label:
            assert label.mode == 'P'
            assert label.size == (96, 96)
            assert set(np.unique(label)) <= {0, 1, 2, 3, 4}


def test_the_manifest_says_what_made_the_labels(undisturbed):
    manifest = json.loads((undisturbed[0] / 'manifest.json').read_text())
    assert manifest['complete'] is True
    assert manifest['labels'] == list(NAMES)
    assert manifest['count'] == 12
    assert manifest['split'].endswith('train.txt')
    assert len(manifest['fingerprint']) == len(manifest['checkpoint_hash']) == 16
    assert {'mmwsss', 'torch', 'pydensecrf2'} <= set(manifest['versions'])


def test_the_labels_are_evaluated_against_the_true_masks(undisturbed):
    printed = re.findall(r'^(\w+)/mIoU: ([0-9.]+)$', undisturbed[1].stdout, flags=re.MULTILINE)
    assert [name for name, _ in printed] == list(NAMES)
    assert all(0 < float(value) < 100 for _, value in printed)


def test_a_killed_run_ends_with_the_same_files_when_run_again(
    undisturbed, warm, generate, checkpoint, environment, tmp_path
):
    out_dir = tmp_path / 'killed'
    run = warm.start(command(checkpoint, out_dir), environment=environment)
    run.until(lambda: len(list(out_dir.glob('Y_crf/*.png'))) >= 3)
    run.kill(signal.SIGKILL)
    run.wait()
    (out_dir / 'seed' / '.leftover.png.1.tmp').write_text('half a file')
    written = len(list(out_dir.glob('Y_ret/*.png')))
    assert written < 12
    assert json.loads((out_dir / 'manifest.json').read_text())['complete'] is False

    again = generate(out_dir, *INLINE)
    assert again.code == 0, again.stderr[-2000:]
    assert content(out_dir) == content(undisturbed[0])
    assert json.loads((out_dir / 'manifest.json').read_text())['complete'] is True


def test_finished_labels_are_left_alone_and_damaged_ones_made_again(
    undisturbed, generate, tmp_path
):
    out_dir = tmp_path / 'copy'
    subprocess.run(['cp', '-r', undisturbed[0], out_dir], check=True)
    victim, keeper = sorted((out_dir / 'Y_crf').glob('*.png'))[:2]
    victim.write_bytes(victim.read_bytes()[:30])
    before = keeper.stat().st_mtime_ns
    again = generate(out_dir, *INLINE)
    assert again.code == 0, again.stderr[-2000:]
    assert 'images already labelled: 11 of 12' in again.output
    assert keeper.stat().st_mtime_ns == before
    assert content(out_dir) == content(undisturbed[0])


def test_other_settings_make_all_labels_again(undisturbed, generate, tmp_path):
    out_dir = tmp_path / 'copy'
    subprocess.run(['cp', '-r', undisturbed[0], out_dir], check=True)
    option = 'test_cfg.generator.labels.seed.background.threshold=0.5'
    done = generate(out_dir, *INLINE, option)
    assert done.code == 0, done.stderr[-2000:]
    assert 'already labelled' not in done.output
    first, second = content(undisturbed[0]), content(out_dir)
    assert first.keys() == second.keys()
    assert all(first[key] != second[key] for key in first)


def test_labels_in_half_precision_are_hardly_others_and_count_as_others(
    undisturbed, generate, tmp_path
):
    done = generate(tmp_path / 'half', '--amp')
    assert done.code == 0, done.stderr[-2000:]
    single, half = content(undisturbed[0]), content(tmp_path / 'half')
    assert single.keys() == half.keys()
    assert all(single[key] != half[key] for key in single)  # the mark of other settings
    for name in NAMES:
        maps = [
            np.stack([np.asarray(Image.open(file)) for file in sorted(folder.glob(f'{name}/*'))])
            for folder in (undisturbed[0], tmp_path / 'half')
        ]
        assert (maps[0] == maps[1]).mean() >= 0.98


def test_refining_in_this_process_gives_the_same_labels(undisturbed, generate, tmp_path):
    done = generate(tmp_path / 'inline', *INLINE)
    assert done.code == 0, done.stderr[-2000:]
    assert content(tmp_path / 'inline') == content(undisturbed[0])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['absent.pth'], 'load_from = absent.pth does not exist'),
        (['--cfg-options', 'test_dataloader.dataset.data_root=nowhere'], 'data_root = nowhere'),
        ([], 'labels and tests need a trained model'),
        (['--cfg-options', 'test_cfg.type=TestLoop'], 'not a PseudoLabelLoop'),
    ],
)
def test_a_users_mistake_is_one_line(arguments, message, warm, environment, tmp_path):
    line = [TOOL, CONFIG, *arguments, '--work-dir', tmp_path]
    failed = warm.run(line, environment=environment)
    assert failed.code == 2
    errors = [line for line in failed.stderr.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1 and message in errors[0]
    assert 'Traceback' not in failed.stderr


def test_two_ranks_share_the_images_and_write_the_same_labels(
    undisturbed, warm, checkpoint, environment, tmp_path
):
    out_dir = tmp_path / 'two_ranks'
    line = command(checkpoint, out_dir, '--launcher', 'pytorch', *INLINE)
    ranks = [
        warm.start(line, environment=environment | variables) for variables in rank_environments(2)
    ]
    for rank in ranks:
        assert rank.wait() == 0, rank.stderr[-2000:]
    assert content(out_dir) == content(undisturbed[0])
