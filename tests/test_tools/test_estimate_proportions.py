import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsss.structures import UserInputError, read_proportions

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/estimate_proportions.py'


def run(monkeypatch, *arguments):
    spec = importlib.util.spec_from_file_location(TOOL.stem, TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', [TOOL.name, *map(str, arguments)])
    tool.main()


@pytest.fixture
def labels(tmp_path):
    folder = tmp_path / 'labels'
    (folder / 'sub').mkdir(parents=True)
    Image.fromarray(np.uint8([[0, 1], [1, 1]])).save(folder / 'b.png')
    Image.fromarray(np.uint8([[255, 2], [0, 0]])).save(folder / 'sub/a.png')
    return folder


def test_a_folder_of_labels_becomes_one_file(monkeypatch, labels, tmp_path, capsys):
    out = tmp_path / 'made/p.npz'
    run(monkeypatch, labels, '--out', out, '--classes', 'background', 'cat', 'dog')
    proportions = read_proportions(out)
    assert proportions.ids == ('b', 'sub/a')
    assert proportions.classes == ('cat', 'dog')
    assert proportions.values.tolist() == [[0.75, 0], [0, 0.25]]
    assert '2 images, 2 classes' in capsys.readouterr().out


def test_the_classes_are_those_of_voc_unless_named(monkeypatch, labels, tmp_path):
    run(monkeypatch, labels, '--out', tmp_path / 'p.npz')
    assert read_proportions(tmp_path / 'p.npz').values.shape == (2, 20)


def test_an_empty_folder_is_refused(monkeypatch, tmp_path):
    with pytest.raises(UserInputError, match='contains no PNG'):
        run(monkeypatch, tmp_path, '--out', tmp_path / 'p.npz')


def test_another_suffix_is_refused(monkeypatch, labels, tmp_path):
    with pytest.raises(UserInputError, match=r'ends in \.npz'):
        run(monkeypatch, labels, '--out', tmp_path / 'p.npy')
