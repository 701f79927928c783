"""What an installation contains, and that mim finds it."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from faults.warm import PATIENCE

import mmwsss

ROOT = Path(mmwsss.__file__).parents[1]
if not (ROOT / 'setup.py').exists():
    pytest.skip('mmwsss is not imported from a checkout', allow_module_level=True)

CONFIGS = sorted((ROOT / 'configs').rglob('*.py'))


def requirements(name: str) -> list[str]:
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def project_name(requirement: str) -> str:
    return re.split('[=<>]', requirement)[0].lower().replace('_', '-')


def test_no_two_configs_have_the_same_file_name():
    twice = [name for name, times in Counter(path.name for path in CONFIGS).items() if times > 1]
    assert not twice, 'mim looks a config up by its bare file name'


def test_the_model_index_lists_every_metafile():
    listed = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    there = [path.relative_to(ROOT).as_posix() for path in (ROOT / 'configs').rglob('metafile.yml')]
    assert sorted(listed) == sorted(there)


def test_every_model_of_a_metafile_has_its_config():
    for metafile in (ROOT / 'configs').rglob('metafile.yml'):
        for model in yaml.safe_load(metafile.read_text()).get('Models', []):
            assert (ROOT / model['Config']).is_file(), f'{metafile}: {model["Config"]}'


def test_an_installation_brings_neither_family_of_openmmlab_packages():
    families = {
        project_name(line) for name in ('onedl', 'openmmlab') for line in requirements(name)
    }
    assert not families & {project_name(line) for line in requirements('runtime')}


@pytest.mark.parametrize('name', ['runtime', 'onedl', 'crf', 'coco', 'tests', 'dev', 'docs'])
def test_what_make_installs_is_held_to_a_version(name):
    # PyTorch is chosen in the Makefile; setuptools builds the package but is not part of it.
    chosen_elsewhere = {'torch', 'torchvision', 'setuptools'}
    held = {project_name(line) for line in requirements('constraints')}
    assert {project_name(line) for line in requirements(name)} - chosen_elsewhere <= held


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    """A wheel, built from a copy because a build leaves files behind."""
    source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
    for name in ('configs', 'mmwsss', 'requirements', 'tools'):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    command = ['pip', 'wheel', '-q', '--no-build-isolation', '--no-deps', '--no-index']
    run(*command, '-w', str(out), str(source), cwd=out)
    return next(out.glob('*.whl'))


def run(*arguments: str, cwd: Path, **variables: str) -> str:
    process = subprocess.run(
        [sys.executable, '-m', *arguments],
        cwd=cwd,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def test_a_wheel_holds_the_package_its_configs_and_its_tools(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    files = (path for path in (ROOT / 'mmwsss').rglob('*') if path.is_file())
    modules = {p.relative_to(ROOT).as_posix() for p in files if '__pycache__' not in p.parts}
    copied = {p.relative_to(ROOT).as_posix() for p in [*CONFIGS, *(ROOT / 'tools').rglob('*.py')]}
    copied |= set(yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import'])
    copied.add('model-index.yml')
    metadata = f'mmwsss-{mmwsss.__version__}.dist-info'
    assert modules <= names
    assert {f'mmwsss/.mim/{name}' for name in copied} <= names
    assert {f'{metadata}/.mim/{name}' for name in copied} <= names
    assert f'{metadata}/licenses/LICENSE' in names
    assert not any(name.startswith('tests/') or '__pycache__' in name for name in names)


@pytest.fixture
def shapes(tmp_path) -> Path:
    """A few synthetic shapes; returns the folder of data sets."""
    data = tmp_path / 'data'
    tool = ROOT / 'tools' / 'dataset_converters' / 'make_shapes.py'
    command = [sys.executable, str(tool), str(data / 'shapes'), '--train', '8', '--val', '4']
    subprocess.run(
        command, check=True, timeout=PATIENCE, env={**os.environ, 'PYTHONPATH': str(ROOT)}
    )
    return data


def mim_train(shapes: Path, **variables: str) -> str:
    """Two iterations of the demo with mim and the bare name of the config."""
    options = ['--work-dir', 'work', '--stages', 'classifier']
    options += ['--cfg-options', 'classifier.train_cfg.max_iters=2']
    command = ['mim', 'train', 'mmwsss', 'bana_shapes.py', '--gpus', '0', *options]
    return run(*command, cwd=shapes.parent, MMWSSS_DATA=str(shapes), **variables)


def is_editable() -> bool:
    # The checkout's own mmwsss.egg-info is a distribution without a URL.
    urls = [dist.read_text('direct_url.json') for dist in distributions(name='mmwsss')]
    return any(json.loads(url).get('dir_info', {}).get('editable') for url in urls if url)


@pytest.mark.slow
@pytest.mark.skipif(not is_editable(), reason='needs pip install -e .')
def test_mim_trains_with_an_editable_installation(shapes):
    pytest.importorskip('mim')
    output = mim_train(shapes)
    assert str(ROOT / 'configs' / 'demo' / 'bana_shapes.py') in output
    assert (shapes.parent / 'work' / 'classifier').is_dir()


@pytest.mark.slow
def test_mim_trains_with_a_regular_installation(shapes, wheel, tmp_path):
    pytest.importorskip('mim')
    site = tmp_path / 'site'
    options = ['-q', '--no-deps', '--no-index', '--target', str(site)]
    run('pip', 'install', *options, str(wheel), cwd=tmp_path)
    output = mim_train(shapes, PYTHONPATH=str(site))
    assert f'{site}/mmwsss-{mmwsss.__version__}.dist-info/.mim/tools/train.py' in output
    assert (tmp_path / 'work' / 'classifier').is_dir()
