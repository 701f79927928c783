"""The first-steps notebook runs from the first cell to the last, in its own kernel."""

from pathlib import Path

import nbformat
import pytest
from faults.warm import PATIENCE
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[2]
# Replaces the cell tagged `parameters`: enough to run through, not to learn anything.
SHORT = """
train_images, new_images = 12, 4
settings = (
    'classifier.train_cfg.max_iters=2 seeds.test_cfg.num_workers=0 '
    'affinity.train_cfg.max_iters=2 walk.test_cfg.num_workers=0 '
    'segmentor.train_cfg.max_iters=2'
)
"""


@pytest.fixture
def notebook():
    return nbformat.read(ROOT / 'demo/first_steps.ipynb', as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


def test_the_notebook_is_kept_without_outputs(notebook):
    for cell in code_cells(notebook):
        assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.slow
def test_the_notebook_leads_from_tags_to_masks_of_new_images(notebook, tmp_path):
    pytest.importorskip('pydensecrf')
    # A clone without data: what the notebook writes goes here.
    for name in ('configs', 'tools'):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / 'demo').mkdir()
    (parameters,) = (
        cell for cell in notebook.cells if 'parameters' in cell.metadata.get('tags', ())
    )
    parameters.source = SHORT
    resources = {'metadata': {'path': str(tmp_path / 'demo')}}
    NotebookClient(notebook, timeout=3 * PATIENCE, resources=resources).execute()

    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    printed = ''.join(output.get('text', '') for output in outputs)
    assert 'written to work_dirs/first_steps/results.json' in printed
    assert 'Images predicted: 4' in printed
    assert 'Traceback' not in printed
    assert sum('image/png' in output.get('data', {}) for output in outputs) == 3
    masks = sorted((tmp_path / 'work_dirs/first_steps/predictions/pred').glob('*.png'))
    assert [path.stem for path in masks] == [f'val_{index:05d}' for index in range(4)]
    assert all(Image.open(path).size == (96, 96) for path in masks)
    assert list((tmp_path / 'demo').iterdir()) == []
