import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsss.structures import UserInputError

_TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'


def run(monkeypatch, name, *arguments):
    spec = importlib.util.spec_from_file_location(name, _TOOLS / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    tool.main()


@pytest.fixture
def data(tmp_path):
    maps = {'masks': [[0, 1, 1, 0]], 'first': [[0, 1, 0, 0]], 'second': [[0, 1, 1, 1]]}
    for folder, label in maps.items():
        (tmp_path / folder).mkdir()
        Image.fromarray(np.uint8(label)).save(tmp_path / folder / 'a.png')
    (tmp_path / 'images').mkdir()
    Image.fromarray(np.full((1, 4, 3), 90, dtype=np.uint8)).save(tmp_path / 'images' / 'a.jpg')
    (tmp_path / 'xml').mkdir()
    (tmp_path / 'xml' / 'a.xml').write_text(
        '<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>0</ymin>'
        '<xmax>3</xmax><ymax>1</ymax></bndbox></object></annotation>'
    )
    (tmp_path / 'split.txt').write_text('a\n')
    return tmp_path


def test_labels_are_evaluated_and_compared(monkeypatch, data, capsys):
    run(
        monkeypatch,
        'evaluate_labels',
        data / 'first',
        *('--split', data / 'split.txt', '--masks', data / 'masks'),
        *('--second', data / 'second', '--boxes', data / 'xml'),
        *('--classes', 'background', 'cat', '--json', data / 'figures.json'),
    )
    figures = json.loads((data / 'figures.json').read_text())
    assert figures[str(data / 'first')]['mIoU'] == pytest.approx(
        100 * (2 / 3 + 1 / 2) / 2, abs=0.01
    )
    assert figures['agreement']['share'] == 50  # one of the two pixels in the box
    assert figures['agreement']['mIoU'] == 100
    assert 'split.txt, 1 images' in capsys.readouterr().out


def test_boxes_without_a_second_folder_are_refused(monkeypatch, data):
    with pytest.raises(UserInputError, match='--second'):
        run(
            monkeypatch,
            'evaluate_labels',
            data / 'first',
            *('--split', data / 'split.txt', '--masks', data / 'masks', '--boxes', data / 'xml'),
        )


def test_labels_are_drawn_beside_their_images(monkeypatch, data):
    folders = data / 'images', data / 'first', data / 'masks'
    run(monkeypatch, 'browse_labels', *folders, '--out', data / 'sheet.png')
    with Image.open(data / 'sheet.png') as sheet:
        assert sheet.size[0] > sheet.size[1]


def test_a_folder_without_labels_is_refused(monkeypatch, data):
    with pytest.raises(UserInputError, match='contains no PNG'):
        run(monkeypatch, 'browse_labels', data / 'images', data / 'images')
