import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsss.models.weight_sources import how_to_get
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError

ROOT = Path(__file__).parents[2]


def weight_files():
    """Names of all weight files in the configs."""
    texts = (path.read_text() for path in (ROOT / 'configs').rglob('*.py'))
    return sorted({name for text in texts for name in re.findall(r"weights\}\}/([\w.-]+)'", text)})


@pytest.mark.parametrize('name', weight_files())
def test_of_every_file_in_a_config_it_is_known_where_it_comes_from(name):
    text = how_to_get(f'/weights/{name}')
    assert 'docs/weights.md' in text
    for tool in re.findall(r'tools/model_converters/\w+\.py', text):
        assert (ROOT / tool).is_file()
    assert name in (ROOT / 'docs/weights.md').read_text()


def test_the_command_has_the_path_that_is_missing():
    assert 'vgg16 /a/vgg16_deeplab.pth`' in how_to_get('/a/vgg16_deeplab.pth')


def test_an_unknown_file_is_the_users():
    assert 'MMWSSS_WEIGHTS' in how_to_get('mine.pth')


def test_a_missing_file_is_one_line_with_the_command(tmp_path):
    path = tmp_path / 'vgg16_deeplab.pth'
    init_cfg = {'type': 'Pretrained', 'checkpoint': str(path)}
    backbone = MODELS.build({'type': 'VGG16DeepLab', 'out_indices': (0,), 'init_cfg': init_cfg})
    with pytest.raises(UserInputError, match=r'do not exist.*torchvision_weights\.py vgg16'):
        backbone.init_weights()


def test_the_file_of_resnet38_is_found_in_its_config():
    config = Config.fromfile(ROOT / 'configs/_base_/models/cam_resnet38.py')
    assert Path(config.model.backbone.init_cfg.checkpoint).name in weight_files()
