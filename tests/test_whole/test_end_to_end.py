"""All of BANA on a few synthetic shapes, as a user starts it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from faults.warm import PATIENCE
from PIL import Image

ROOT = Path(__file__).parents[2]
STAGES = ('classifier', 'labels', 'segmentor')
OPTIONS = (
    'classifier.train_cfg.max_iters=80',
    'segmentor.train_cfg.max_iters=60',
    'segmentor.train_cfg.val_interval=60',
)


def command(work_dir, *arguments):
    config = ROOT / 'configs/demo/bana_shapes.py'
    options = ['--work-dir', work_dir, '--cfg-options', *OPTIONS]
    return [ROOT / 'tools/train.py', config, *arguments, *options]


@pytest.fixture(scope='module')
def finished(shapes_data, tmp_path_factory):
    """Work folder of the demo's pipeline and its output, from a fresh process like a user's."""
    work_dir = tmp_path_factory.mktemp('work')
    process = subprocess.run(
        [sys.executable, *command(work_dir)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, 'MMWSSS_DATA': str(shapes_data)},
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return work_dir, process.stdout


@pytest.fixture
def run_again(finished, warm, shapes_data):
    """Run the same pipeline in the same folder, with more arguments if given."""

    def start(*arguments):
        done = warm.run(command(finished[0], *arguments), environment={'MMWSSS_DATA': shapes_data})
        assert done.code == 0, done.stderr[-3000:]
        return done

    return start


def test_boxes_become_a_segmentation_model_better_than_chance(finished):
    work_dir, _ = finished
    results = json.loads((work_dir / 'results.json').read_text())
    assert tuple(results) == STAGES
    metrics = results['labels']['metrics']
    # Filled boxes reach 61 on these shapes.
    assert metrics['Y_crf/mIoU'] > 65
    assert metrics['Y_ret/mIoU'] > 50
    assert results['segmentor']['metrics']['mIoU'] > 25
    assert Path(results['segmentor']['outputs']['checkpoint']).is_file()


def test_the_run_ends_with_a_table_pictures_and_a_report(finished):
    work_dir, printed = finished
    assert all(stage in printed for stage in STAGES)
    assert 'Y_crf' in printed and 'total' in printed
    for name in ('labels.png', 'segmentor.png'):
        assert (work_dir / name).stat().st_size > 10_000
    report = work_dir / 'label_report.html'
    assert '<h1>Y_crf</h1>' in report.read_text()
    assert printed.rstrip().endswith(report.as_uri())


def test_the_console_is_one_screen_and_logs_have_the_rest(finished):
    work_dir, printed = finished
    lines = printed.splitlines()
    assert len(lines) < 40
    assert [line for line in lines if line.startswith('stage ')] == [
        f'stage {number} of 3: {name}' for number, name in enumerate(STAGES, start=1)
    ]
    assert sum(line.startswith('  finished in ') for line in lines) == 3
    assert '\x1b' not in printed and '\r' not in printed
    for stage in STAGES:
        (log,) = (work_dir / stage).glob('*/*.log')
        assert 'Config:' in log.read_text()
    assert '80/80]' in next((work_dir / 'classifier').glob('*/*.log')).read_text()


def test_results_say_how_they_were_made(finished):
    results = json.loads((finished[0] / 'results.json').read_text())
    for result in results.values():
        made = result['made']
        assert made['seed'] == 0 and Path(made['config']).is_file()
        assert {'mmwsss', 'mmengine', 'mmseg', 'torch'} <= made['packages'].keys()
        assert made['date'] and made['machine']['cores']
        assert all(value == round(value, 4) for value in result['metrics'].values())


def test_a_gallery_shows_every_stage(finished, warm, tmp_path):
    page = tmp_path / 'gallery/index.html'
    tool = ['tools/analysis_tools/gallery.py', finished[0], '--count', '2', '--out', page]
    done = warm.run([*tool, '--sheets', tmp_path / 'sheets'])
    assert done.code == 0, done.stderr[-3000:]
    assert page.as_uri() in done.stdout
    html = page.read_text()
    titles = re.findall(r'<th scope="col">([^<]+)<span>([^<]*)</span>', html)
    names = ['classifier: CAM', 'labels: seed', 'labels: Y_crf', 'labels: Y_ret', 'segmentor']
    assert [title for title, _ in titles] == ['weak label', *names, 'truth']
    results = json.loads((finished[0] / 'results.json').read_text())
    assert titles[5][1] == f'mIoU {results["segmentor"]["metrics"]["mIoU"]:.1f}'
    assert html.count('<img src="data:image/') == 2 * len(titles)
    with Image.open(tmp_path / f'sheets/{finished[0].name}.png') as sheet:
        assert sheet.width > 1000


def test_every_training_has_its_own_curves(finished):
    for stage in ('classifier', 'segmentor'):
        assert list((finished[0] / stage).glob('*/vis_data/scalars.json'))


def test_a_second_run_skips_all_stages(finished, run_again):
    results = finished[0] / 'results.json'
    first = results.read_text()
    printed = run_again().stdout
    assert printed.count('is finished') == 3
    assert 'report on the labels (unchanged)' in printed
    assert results.read_text() == first


def test_an_unfinished_training_goes_on_from_its_last_checkpoint(finished, run_again):
    work_dir, _ = finished
    (work_dir / 'segmentor' / 'stage.json').unlink()
    assert 'goes on from' in run_again('--resume', '--stages', 'segmentor').output
    assert (work_dir / 'segmentor' / 'stage.json').is_file()
