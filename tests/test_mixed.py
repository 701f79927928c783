"""Whole pipelines on a few synthetic shapes that put parts of several methods together."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


def run(shapes_data: Path, work_dir: Path, script: str, *arguments: str) -> str:
    process = subprocess.run(
        [sys.executable, ROOT / 'tools' / script, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, 'MMWSSS_DATA': str(shapes_data)},
        cwd=work_dir,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout


def shorter(**iterations: int) -> list[str]:
    return [f'{stage}.train_cfg.max_iters={n}' for stage, n in iterations.items()]


@pytest.fixture(scope='module')
def psa(shapes_data, tmp_path_factory) -> Path:
    """AffinityNet from tags, every training short."""
    work_dir = tmp_path_factory.mktemp('psa')
    options = shorter(classifier=120, affinity=40, segmentor=20)
    options += ['segmentor.train_cfg.val_interval=20']
    config = str(ROOT / 'configs/demo/psa_shapes.py')
    run(shapes_data, work_dir, 'train.py', config, '--work-dir', '.', '--cfg-options', *options)
    return work_dir


def test_tags_become_a_segmentation_model_by_random_walk(psa) -> None:
    results = json.loads((psa / 'results.json').read_text())
    assert list(results) == ['classifier', 'seeds', 'affinity', 'walk', 'segmentor']
    labels = results['walk']['metrics']
    assert labels['walk/mIoU'] > 20  # all background has 16
    assert np.isfinite(results['segmentor']['metrics']['mIoU'])


def test_stages_that_keep_scores_and_proportions_are_drawn_too(psa) -> None:
    for name in ('seeds.png', 'walk.png', 'segmentor.png'):
        assert (psa / name).stat().st_size > 10_000


def test_the_walk_changes_the_seeds(psa) -> None:
    changed = 0
    for path in (psa / 'seeds/labels/seed').glob('*.png'):
        seed = np.asarray(Image.open(path))
        walked = np.asarray(Image.open(psa / 'walk/labels/walk' / path.name))
        assert seed.shape == walked.shape
        changed += int((seed != walked).any())
    assert changed > 0


def test_seeds_from_tags_are_refined_by_retrieval(psa, shapes_data) -> None:
    config = str(ROOT / 'configs/mixed/psa-retrieval_resnet18_shapes-96x96.py')
    checkpoint = str(next((psa / 'classifier').glob('iter_*.pth')))
    run(shapes_data, psa, 'generate_pseudo_labels.py', config, checkpoint, '--out-dir', 'retrieved')
    seeds = {path.name for path in (psa / 'retrieved/seed_crf').glob('*.png')}
    assert seeds == {path.name for path in (psa / 'retrieved/retrieved').glob('*.png')}
    assert seeds


def test_seeds_of_learned_thresholds_are_walked(shapes_data, tmp_path) -> None:
    options = shorter(classifier=60, affinity=20, round1=60)
    config = str(ROOT / 'configs/mixed/sbce-walk_shapes.py')
    run(shapes_data, tmp_path, 'train.py', config, '--work-dir', '.', '--cfg-options', *options)
    results = json.loads((tmp_path / 'results.json').read_text())
    assert results['walk']['metrics']['walk/mIoU'] > 16  # that of all background
    foreground = [
        np.asarray(Image.open(path)).any() for path in (tmp_path / 'walk/labels/seed').glob('*.png')
    ]
    assert any(foreground)


def test_seeds_of_contrast_and_aggregation_are_walked(shapes_data, tmp_path) -> None:
    options = shorter(classifier=40, affinity=20)
    for hook, begin in enumerate((10, 20, 30)):
        options.append(f'classifier.custom_hooks.{hook}.begin={begin}')
    config = str(ROOT / 'configs/mixed/rca-walk_shapes.py')
    run(shapes_data, tmp_path, 'train.py', config, '--work-dir', '.', '--cfg-options', *options)
    seeds = {path.name for path in (tmp_path / 'seeds/labels/seed').glob('*.png')}
    assert seeds == {path.name for path in (tmp_path / 'walk/labels/walk').glob('*.png')}
    assert seeds
    results = json.loads((tmp_path / 'results.json').read_text())
    assert np.isfinite(results['walk']['metrics']['walk/mIoU'])


def test_box_seeds_are_walked_and_stay_within_their_boxes(shapes_data, tmp_path) -> None:
    options = shorter(classifier=60, affinity=40, segmentor=10)
    options += ['segmentor.train_cfg.val_interval=10']
    config = str(ROOT / 'configs/mixed/bana-walk_shapes.py')
    run(shapes_data, tmp_path, 'train.py', config, '--work-dir', '.', '--cfg-options', *options)
    metrics = json.loads((tmp_path / 'results.json').read_text())['walk']['metrics']
    assert metrics['walk/mIoU'] > 50  # filled boxes have 61
    assert metrics['walk_crf/mIoU'] > 50
