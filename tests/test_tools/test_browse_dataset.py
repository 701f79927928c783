import re
from pathlib import Path

import numpy as np
import pytest
from photographs import write_coco, write_photographs
from PIL import Image

from mmwsss.structures import UserInputError

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/browse_dataset.py')


@pytest.fixture
def browse(tool, tmp_path, capsys):
    """Run the tool; return its lines without blanks at the ends of cells, and the sheet."""

    def run(*arguments):
        out = tmp_path / 'sheet.png'
        tool.main([*map(str, arguments), '--out', str(out)])
        text = re.sub(r' *\| *', '|', capsys.readouterr().out)
        return text.splitlines(), np.array(Image.open(out))

    return run


def write_data(root, labels, **others):
    data = dict(root=str(root), classes=('cat', 'dog'), labels=labels, **others)
    path = root / 'my_data.py'
    path.write_text(f'data = {data}')
    return path


def test_own_tags_are_counted_and_drawn(browse, tmp_path):
    write_photographs(tmp_path, masks=True)
    (tmp_path / 'val.txt').write_text('d\ne\n')
    data = write_data(tmp_path, 'tags.json', val='val.txt', masks='masks')
    lines, sheet = browse('--data', data, '--count', '2', '--views', '1')
    for line in (
        'labels (tags): 12 images, 0 have none',
        'train: 10 images, val: 2 images, true masks: 12 images',
        'training images: 10, 0 without a class',
        '|cat|6|',
        '|dog|5|',
        'most often together: cat and dog (1)',
        'size of images: width 96 to 96 (median 96), height 80 to 80 (median 80)',
    ):
        assert line in lines
    assert sheet.shape == (18 + 6 + 2 * (18 + 326), 6 + 2 * 326, 3)


def test_own_boxes_are_counted_and_images_without_labels(browse, tmp_path):
    write_photographs(tmp_path)
    write_coco(tmp_path / 'coco.json')
    Image.new('RGB', (200, 40)).save(tmp_path / 'images/new.jpg')
    lines, _ = browse('--data', write_data(tmp_path, 'coco.json'), '--count', '1')
    assert 'labels (boxes): 12 images, 1 have none: new' in lines
    assert '|dog|7|8|' in lines
    assert 'size of boxes: width 35 to 56 (median 42), height 32 to 64 (median 48)' in lines


def test_inputs_are_those_of_the_first_training_of_a_pipeline(browse, tmp_path):
    write_photographs(tmp_path)
    write_coco(tmp_path / 'coco.json')
    data = write_data(tmp_path, 'coco.json')
    lines, _ = browse(CONFIGS / 'bana_mobilenet-v2_voc.py', '--data', data, '--count', '1')
    assert 'training images: 12, 0 without a class' in lines


def test_a_config_of_other_data_needs_no_description(browse, load_tool, tmp_path, monkeypatch):
    shapes = load_tool('dataset_converters/make_shapes.py')
    shapes.make_shapes(tmp_path / 'shapes', train=4, val=1, size=32, seed=0)
    monkeypatch.setenv('MMWSSS_DATA', str(tmp_path))
    lines, _ = browse(CONFIGS / 'demo/bana_shapes.py', '--count', '9')
    assert 'training images: 4, 0 without a class' in lines


def test_a_config_that_trains_nothing_is_explained(browse):
    with pytest.raises(UserInputError, match='has no training'):
        browse(CONFIGS / '_base_/default_runtime.py')


@pytest.mark.parametrize('arguments', [[], ['--data', 'x.py', '--count', '0']])
def test_a_command_without_data_or_images_is_explained(tool, arguments):
    with pytest.raises(SystemExit):
        tool.main(arguments)
