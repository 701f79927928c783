"""New images on the command line: files, folders and patterns, in repeated runs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from faults.warm import PATIENCE
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmwsss.apis.prediction import inferencer_of, predict_images
from mmwsss.datasets import ShapesWeakDataset
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/demo/bana-nal_resnet18_shapes-96x96.py'
META = {key: ShapesWeakDataset.METAINFO[key] for key in ('classes', 'palette')}


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'iter_2.pth'
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmwsss'):
        state = MODELS.build(Config.fromfile(CONFIG).model).state_dict()
    torch.save({'state_dict': state, 'meta': {'dataset_meta': META}}, path)
    return str(path)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'my photos'
    for name in ('a.png', 'b.JPG', 'zoo/ä 1.webp'):
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        pixels = np.random.default_rng(len(name)).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


def predict(weights, inputs, out_dir):
    inferencer = inferencer_of(Config.fromfile(CONFIG), weights, maps=False, device='cpu')
    predict_images(inferencer, [str(path) for path in inputs], str(out_dir))


def test_a_folder_is_predicted_once(weights, photos, tmp_path, capsys):
    out_dir = tmp_path / 'out'
    predict(weights, [photos], out_dir)
    assert 'Images predicted: 3, already done: 0' in capsys.readouterr().out
    labels = sorted(str(p.relative_to(out_dir)) for p in out_dir.glob('pred/**/*.png'))
    assert labels == ['pred/a.png', 'pred/b.png', 'pred/zoo/ä 1.png']
    with Image.open(out_dir / 'pred/zoo/ä 1.png') as label:
        assert label.mode == 'P' and label.size == (40, 30)
        assert label.getpalette()[3:6] == list(META['palette'][1])
        assert np.asarray(label).max() <= 4
    with Image.open(out_dir / 'pred_overlay/zoo/ä 1.jpg') as picture:
        assert picture.size == (40, 30)

    Image.new('RGB', (20, 20)).save(photos / 'a.png')  # another image
    (out_dir / 'pred/b.png').write_bytes((out_dir / 'pred/b.png').read_bytes()[:-20])  # cut off
    Image.new('L', (40, 30)).save(out_dir / 'pred/zoo/ä 1.png')  # corrected by hand
    predict(weights, [photos], out_dir)
    line = capsys.readouterr().out
    assert 'Images predicted: 2, already done: 0, manually corrected and kept: 1' in line
    predict(weights, [photos], out_dir)
    line = capsys.readouterr().out
    assert 'Images predicted: 0, already done: 2, manually corrected and kept: 1' in line


def test_images_that_cannot_be_read_are_skipped_and_counted(weights, photos, tmp_path, capsys):
    (photos / 'c.jpg').write_bytes(b'no image')
    (photos / 'd.jpg').symlink_to('a disk that is not there')
    predict(weights, [photos], tmp_path / 'out')
    assert 'Images predicted: 3' in (line := capsys.readouterr().out)
    assert 'unreadable: 2' in line
    with pytest.raises(UserInputError, match=r'No image can be read \(images: 1\)'):
        predict(weights, [photos / 'c.jpg'], tmp_path / 'out')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['bana_shapes.py', '{photos}'], r'bana_shapes\.py is a pipeline'),
        (['{config}', '{photos}'], 'EncoderDecoder needs trained weights'),
        (['{config}', 'missing.pth', '{photos}'], r'missing\.pth does not exist'),
        (['{config}', '{weights}', '{photos}/nothing'], 'does not exist'),
        (['{config}', '{weights}', '{photos}/*.gif'], 'No image file matches the pattern'),
        (['{config}', '{weights}', '{photos}', '--tta'], 'needs `tta_model`'),
        (['psa-cam_resnet18_shapes-96x96.py', '{weights}', '{photos}'], 'does not fit the model'),
        (
            ['psa-affinity_resnet18_shapes-96x96.py', '{weights}', '{photos}'],
            r'96x96\.py: AffinityNetwork does not give class activation maps',
        ),
        (['psa-walk_resnet18_shapes.py', '{photos}'], 'reads its maps from files'),
    ],
)
def test_a_mistake_is_one_line(
    load_tool, weights, photos, tmp_path, monkeypatch, arguments, message
):
    values = dict(config=CONFIG.name, weights=weights, photos=photos)
    config, *rest = (argument.format(**values) for argument in arguments)
    command = ['predict.py', str(CONFIG.parent / config), *rest, '--device', 'cpu']
    monkeypatch.setattr(sys, 'argv', [*command, '--out-dir', str(tmp_path / 'out')])
    with pytest.raises(UserInputError, match=message):
        load_tool('predict.py').main()


@pytest.mark.slow
def test_the_tool_says_what_it_wrote(weights, photos, tmp_path):
    command = [sys.executable, ROOT / 'tools/predict.py', CONFIG, weights, f'{photos}/*.*']
    run = subprocess.run(
        [*command, '--out-dir', tmp_path / 'out', '--device', 'cpu'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode == 0, run.stderr
    assert 'Images predicted: 2' in run.stdout and (tmp_path / 'out/pred/a.png').is_file()
