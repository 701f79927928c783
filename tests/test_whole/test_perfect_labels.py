"""Labels without a mistake score 100 wherever labels are measured, whatever the masks' values.

Objects are filled rectangles, so filled boxes are perfect labels for three classes of VOC. A horse,
whose class is not in use, counts as background.
"""

import json
import sys

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmwsss.datasets import VOCWeakDataset
from mmwsss.engine.pipeline.pictures import draw_labels
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.structures import UserInputError, read_proportions

VOC = VOCWeakDataset.METAINFO['classes']
CLASSES = ('background', 'cat', 'dog', 'person')
IMAGES = {
    'a': {'cat': (2, 2, 12, 9), 'horse': (14, 3, 20, 12)},
    'b': {'dog': (1, 1, 8, 14), 'person': (10, 2, 22, 12)},
}
LOADING = [dict(type='LoadImage'), dict(type='LoadWeakAnnotations')]


@pytest.fixture
def data(tmp_path):
    """Two images in VOC's layout; a pixel of each mask is undecided."""
    for folder in ('JPEGImages', 'Annotations', 'SegmentationClass'):
        (tmp_path / folder).mkdir()
    for name, objects in IMAGES.items():
        mask, text = np.zeros((16, 24), dtype=np.uint8), ''
        for kind, (x1, y1, x2, y2) in objects.items():
            mask[y1:y2, x1:x2] = VOC.index(kind)
            box = f'<xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>'
            text += f'<object><name>{kind}</name><bndbox>{box}</bndbox></object>'
        mask[0, 0] = 255
        Image.fromarray(mask).save(tmp_path / f'SegmentationClass/{name}.png')
        Image.new('RGB', (24, 16)).save(tmp_path / f'JPEGImages/{name}.jpg')
        (tmp_path / f'Annotations/{name}.xml').write_text(f'<annotation>{text}</annotation>')
    (tmp_path / 'list.txt').write_text('\n'.join(IMAGES))
    return tmp_path


def stage(data, loading, **test):
    labels = dict(filled=dict(background=dict(type='ConstantBackground', threshold=0.5)))
    dataset = dict(
        type='VOCWeakDataset',
        data_root=str(data),
        ann_file='list.txt',
        metainfo=dict(classes=CLASSES),
        mask_classes=VOC,
        data_prefix=dict(seg_map_path='SegmentationClass'),
        test_mode=True,
        pipeline=[*loading, dict(type='PackWeakInputs')],
    )
    return Config(
        {
            'default_scope': 'mmwsss',
            'model': dict(type='FilledBoxes'),
            'test_cfg': dict(
                type='PseudoLabelLoop',
                out_dir=str(data / 'labels'),
                num_workers=0,
                generator=dict(type='PseudoLabelGenerator', labels=labels),
            ),
            'test_evaluator': [],
            'test_dataloader': dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dataset,
            ),
            **test,
        }
    )


@pytest.fixture
def labels(data):
    """The masks without the values of VOC, as a label stage would have written them."""
    folder = data / 'labels'
    folder.mkdir()
    for name in IMAGES:
        mask = np.asarray(Image.open(data / f'SegmentationClass/{name}.png'))
        label = sum((mask == VOC.index(kind)) * i for i, kind in enumerate(CLASSES))
        Image.fromarray(label.astype(np.uint8)).save(folder / f'{name}.png')
    return folder


def run_tool(monkeypatch, load_tool, name, *arguments):
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    load_tool(f'analysis_tools/{name}.py').main()


def test_the_label_loop_measures_and_draws_perfect_labels(data, monkeypatch):
    config = stage(data, LOADING)
    result = run_stage(config, data / 'work', task='test')
    assert result.metrics['filled/mIoU'] == 100
    drawn = {}
    monkeypatch.setattr(
        'mmwsss.engine.pipeline.pictures.contact_sheet',
        lambda rows, titles, path, captions: drawn.update(rows=rows, titles=titles),
    )
    draw_labels(config, result, data / 'sheet.png')
    assert drawn['titles'] == ['weak label', 'filled', '', 'truth']
    for _, _, label, truth in drawn['rows']:
        truth[0, 0] = label[0, 0]  # undecided
        np.testing.assert_array_equal(label, truth)


def test_seeds_are_measured_in_the_same_classes(data):
    config = stage(
        data,
        [*LOADING, dict(type='LoadAnnotations')],
        test_cfg=dict(type='TestLoop'),
        test_evaluator=dict(type='SeedIoUWithGroundTruth'),
    )
    assert run_stage(config, data / 'work', task='test').metrics['seed/mIoU'] == 100


def test_the_tools_read_the_same_labels_and_masks(labels, data, monkeypatch, load_tool):
    masks = data / 'SegmentationClass'
    classes = ['--classes', *CLASSES, '--mask-classes', *VOC]
    options = ['--split', data / 'list.txt', '--masks', masks, '--json', data / 'figures.json']
    run_tool(monkeypatch, load_tool, 'evaluate_labels', labels, *options, *classes)
    figures = json.loads((data / 'figures.json').read_text())
    assert figures[str(labels)]['mIoU'] == 100

    for folder, file, more in ((labels, 'labels.npz', classes[:5]), (masks, 'masks.npz', classes)):
        options = [folder, '--out', data / file, *more]
        run_tool(monkeypatch, load_tool, 'estimate_proportions', *options)
    of_labels, of_masks = (read_proportions(data / f'{name}.npz') for name in ('labels', 'masks'))
    assert of_labels.values.tolist() == of_masks.values.tolist()
    assert of_labels.values[0].tolist() == [70 / 384, 0, 0]

    options = [data / 'JPEGImages', labels, '--masks', masks, '--out', data / 'sheet.png']
    run_tool(monkeypatch, load_tool, 'browse_labels', *options, *classes)
    with Image.open(data / 'sheet.png') as sheet:
        assert sheet.size[0] > 4 * 200


def test_masks_of_other_classes_are_refused(labels, data, monkeypatch, load_tool):
    options = [labels, '--split', data / 'list.txt', '--masks', data / 'SegmentationClass']
    with pytest.raises(UserInputError, match=r'a\.png has the value 8.*0\.\.3 or 255'):
        run_tool(monkeypatch, load_tool, 'evaluate_labels', *options, '--classes', *CLASSES)
