"""A wrong config or command line ends in one line that names the place, before anything runs."""

import os
import subprocess
from collections import Counter

import pytest

from faults.warm import ROOT
from faults.wrong_configs import _STAGES, COMMANDS, FILES, OPTIONS, PIPELINE, STAGES

CASES = {
    **{f'option {key}': ('option', key, words) for key, words in OPTIONS.items()},
    **{f'stages: {key}': ('stages', key, words) for key, (_, _, words) in STAGES.items()},
    **{f'file {key}': ('file', key, words) for key, (_, words) in FILES.items()},
    **{f'command {key}': ('command', key, words) for key, words in COMMANDS.items()},
}
QUICK = (
    'option segmentor.model.backbone.type=ResNett',
    'option segmentor.optim_wrapper.optimizer.lrr=0.1',
    'option classifier.model.head.num_clases=4',
    'stages: unknown key',
    'stages: name leaves the folder',
    'file bad_base.py',
    f'command tools/train.py {PIPELINE} --cfg-options oops',
    f'command tools/train.py {PIPELINE} --work-dir README.md/sub',
)
_counts: Counter = Counter()


@pytest.fixture(scope='module')
def configs(tmp_path_factory):
    """All wrong files, with the files they refer to."""
    folder = tmp_path_factory.mktemp('configs')
    for name, (content, _) in FILES.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / 'circle2.py').write_text("_base_ = ['./circle.py']\n")
    (folder / 'empty2.py').write_text('a = 1\n')
    (folder / 'empty3.py').write_text('a = 2\n')
    stage = ROOT / 'configs/demo/bana-classifier_resnet18_shapes-96x96.py'
    (folder / 'one.py').write_text(f'_base_ = [{str(stage)!r}]\n')
    return folder


def arguments(kind, key, configs, tmp_path):
    if kind == 'command':
        extra = [] if 'work-dir' in key else ['--work-dir', tmp_path / 'work']
        takes_work_dir = key.split()[0] in (
            'tools/train.py',
            'tools/test.py',
            'tools/generate_pseudo_labels.py',
        )
        return [*key.split(), *(extra if takes_work_dir else [])]
    config, options = PIPELINE, []
    if kind == 'option':
        options = ['--cfg-options', key]
    elif kind == 'file':
        config = configs / key
    else:
        old, new, _ = STAGES[key]
        assert old in _STAGES
        config = configs / f'{tmp_path.name}.py'
        config.write_text(_STAGES.replace(old, new, 1))
    return ['tools/train.py', config, '--work-dir', tmp_path / 'work', *options]


@pytest.mark.parametrize(
    'case', [c if c in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in CASES]
)
def test_a_mistake_is_one_line_that_names_it(case, warm, configs, shapes_data, tmp_path):
    kind, key, words = CASES[case]
    argv = arguments(kind, key, configs, tmp_path)
    run = warm.run(argv, environment=dict(MMWSSS_DATA=shapes_data), logs=tmp_path)
    outcome = 'traceback' if 'Traceback' in run.output else f'exit {run.code}'
    _counts[kind, outcome] += 1
    print(f'\n{dict(_counts)}')
    assert 'Traceback' not in run.output, run.stderr[-1500:]
    assert run.code == 2, run.output[-1500:]
    lines = [line for line in run.stderr.splitlines() if 'error: ' in line]
    assert len(lines) == 1, run.stderr
    assert [word for word in words if word not in lines[0]] == [], lines[0]
    assert not (tmp_path / 'work').exists()


@pytest.mark.slow
def test_a_checkpoint_that_the_disk_refuses_is_named_in_one_line(warm, shapes_data, tmp_path):
    options = ['classifier.train_cfg.max_iters=2', 'classifier.train_dataloader.batch_size=2']
    argv = ['tools/train.py', PIPELINE, '--work-dir', tmp_path / 'work', '--stages', 'classifier']
    run = warm.run(
        [*argv, '--cfg-options', *options],
        environment=dict(MMWSSS_DATA=shapes_data),
        logs=tmp_path,
        before='faults.limits:files_no_larger_than',
        options=dict(size=1_000_000),
    )
    assert 'Traceback' not in run.output, run.stderr[-1500:]
    assert run.code == 2
    assert 'iter_2.pth' in run.stderr.splitlines()[-1]
    assert not list((tmp_path / 'work/classifier').glob('*.pth'))
    assert not (tmp_path / 'work/classifier/stage.json').exists()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason='only root mounts')
def test_a_full_disk_is_one_line(warm, shapes_data, tmp_path):
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip('mounting is not permitted here')
    try:
        tool = 'tools/dataset_converters/make_shapes.py'
        run = warm.run([tool, disk / 'shapes', '--train', '200'], logs=tmp_path)
    finally:
        subprocess.run(['umount', str(disk)], check=True)
    assert run.code == 2 and 'Traceback' not in run.output
    assert 'No space left' in run.stderr.splitlines()[-1]
