"""Every method on a device that notes what would make the host wait for a GPU."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from test_every_pipeline import PIPELINES
from tiny import write_voc

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs'
# What the other three lack: class branches, maps kept in training, PAMR, mmseg's own losses.
REST = f"""
_base_ = ['{CONFIGS}/demo/psa_shapes.py']
branches = dict(
    type='ClassBranchesHead',
    in_channels=128,
    num_classes=4,
    context=dict(type='ProjectedAggregation', in_channels=128, num_classes=4, centroids=3),
)
contrast = dict(
    type='RegionContrast',
    num_classes=4,
    channels=128,
    regions='coarse_map',
    feats='local_feats',
    contrast=dict(partner='any', floor=1e-4),
    memory=dict(official=True, slots=20),
    projection=True,
)
model = {{
    'model.head': branches,
    'model.objectives': [contrast, dict(type='TrainingCAMs', num_classes=4)],
}}
stages = dict(
    classifier=dict(options={{
        'train_dataloader.dataset.pipeline': [
            dict(type='LoadImage'),
            dict(type='LoadWeakAnnotations'),
            dict(type='Resize', scale=(64, 64), keep_ratio=False),
            dict(type='PackWeakInputs'),
        ],
        **model,
        'custom_hooks': [
            dict(type='RegionCentroidsHook', begin=1, interval=1),
            dict(type='TrainingCAMsHook'),
        ],
    }}),
    seeds=dict(options={{
        **model,
        'test_cfg.generator.labels.seed.refiners': [dict(type='PixelAdaptiveRefinement')],
    }}),
    affinity=None,
    walk=None,
    segmentor=dict(takes={{'train_dataloader.dataset.data_prefix.seg_map_path': 'seeds.seed'}}),
)
"""
# Part of the work, event, file and function -> why it is there. No other is allowed in a step.
LABELS_ARE_FILES = 'labels are made on the host, image by image, and written there'
REFUSED = 'bad maps are refused with a line that names the image'
MMSEG = "MMSegmentation's own loss and accuracy of a segmentor, which count the pixels with a label"
INHERENT = {
    ('train', 'host read', 'mmseg/models/losses/cross_entropy_loss.py cross_entropy'): MMSEG,
    ('train', 'host read', 'mmseg/models/losses/accuracy.py accuracy'): MMSEG,
    ('train', 'boolean index', 'mmseg/models/losses/accuracy.py accuracy'): MMSEG,
    ('predict', 'host read', 'mmwsss/models/classifiers/stored_cams.py _check_fit'): REFUSED,
    ('label', 'host read', 'mmwsss/pseudo_labels/generator_checks.py _is_finite'): REFUSED,
    (
        'label',
        'host read',
        'mmwsss/pseudo_labels/learned_thresholds.py check_probabilities',
    ): REFUSED,
    ('label', 'host read', 'mmwsss/affinity/random_walk.py _check'): REFUSED,
    ('label', 'host read', 'mmwsss/pseudo_labels/generator.py _label_map'): LABELS_ARE_FILES,
    ('label', 'host read', 'mmwsss/pseudo_labels/generator.py <genexpr>'): LABELS_ARE_FILES,
    ('label', 'host read', 'mmwsss/engine/labels/store.py writing'): LABELS_ARE_FILES,
    ('label', 'host read', 'mmwsss/pseudo_labels/class_boxes.py class_boxes'): (
        'boxes become slices, whose bounds are numbers of the host'
    ),
    ('label', 'blocking copy', 'mmengine/model/base_model/base_model.py to'): (
        'the network of a walk is loaded at the first image'
    ),
}


@pytest.fixture(scope='module')
def on_fake_device(warm):
    """Run pipelines; return events as (part, kind, place) with the lines that caused them."""

    def run(root: Path, folder: Path, *pipelines: Path) -> dict[tuple, set[str]]:
        report = folder / 'report.json'
        argv = ['tests/on_fake_device.py', report, folder, *pipelines]
        done = warm.run(argv, environment={'MMWSSS_DATA': root})
        assert done.code == 0, done.stderr[-3000:]
        events = defaultdict(set)
        for event in json.loads(report.read_text()):
            key = event['part'], event['kind'], event['place']
            events[key].add(f'{event["stage"]}: {event["lines"]}')
        return events

    return run


@pytest.fixture(scope='module')
def few_images(shapes_data, tmp_path_factory):
    """Three shapes for training and validation each, and a VOC of four images."""
    root = tmp_path_factory.mktemp('few')
    shutil.copytree(shapes_data / 'shapes', root / 'shapes')
    for path in (root / 'shapes/ImageSets/Segmentation').glob('*.txt'):
        path.write_text(''.join(path.read_text().splitlines(keepends=True)[:3]))
    write_voc(root)
    return root


def check_events(events: dict[tuple, set[str]]) -> None:
    mixed = {key: lines for key, lines in events.items() if key[1] == 'mixed devices'}
    assert not mixed
    in_steps = {key: lines for key, lines in events.items() if key[0]}
    assert not {key: lines for key, lines in in_steps.items() if key not in INHERENT}


@pytest.mark.parametrize(
    'pipeline',
    ['demo/bana_shapes.py', 'mixed/rca-boundary_shapes.py', 'mixed/sbce-walk_shapes.py', None],
)
def test_no_method_mixes_devices_or_waits_for_one_in_a_step(
    pipeline, on_fake_device, few_images, tmp_path
):
    pytest.importorskip('pydensecrf')
    path = CONFIGS / pipeline if pipeline else tmp_path / 'rest_shapes.py'
    if not pipeline:
        path.write_text(REST)
    check_events(on_fake_device(few_images, tmp_path, path))


@pytest.mark.slow
@pytest.mark.parametrize('path', PIPELINES, ids=lambda path: path.stem)
def test_no_shipped_pipeline_mixes_devices_or_waits_for_one_in_a_step(
    path, on_fake_device, few_images, tmp_path
):
    pytest.importorskip('pydensecrf')
    try:
        check_events(on_fake_device(few_images, tmp_path, path))
    finally:
        shutil.rmtree(tmp_path)  # weights and checkpoints take gigabytes


CAUSES = """
import json, sys
import torch
import fake_device
from fake_device import EVENTS

fake_device.start()
x = torch.arange(3.0, device='fake:0')
host = torch.ones(3)
causes = dict(
    nothing=lambda: (x + 1).where(x > 1, 0.0).sum(),
    number=lambda: x + torch.tensor(1.0),
    away=lambda: host.to('fake:0', non_blocking=True),
    item=lambda: x.sum().item(),
    branch=lambda: bool(x.sum() > 0),
    values=lambda: x.tolist(),
    back=lambda: x.cpu(),
    where=lambda: x.nonzero(),
    blocking=lambda: host.to('fake:0'),
    made=lambda: x.new_tensor([1.0]),
    into=lambda: torch.empty(3, device='fake:0').copy_(host),
    mask=lambda: x[x > 1],
    mixed=lambda: x * host,
    index=lambda: x[torch.tensor([0])],
)
found = {}
for name, cause in causes.items():
    cause()
    found[name] = [[event.kind, event.lines] for event in EVENTS]
    EVENTS.clear()
print(json.dumps(found))
"""


def test_the_device_finds_each_kind_of_event_and_its_line(warm, tmp_path):
    script = tmp_path / 'causes.py'
    script.write_text(CAUSES)
    done = warm.run([script])
    assert done.code == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    kinds = {name: sorted({kind for kind, _ in events}) for name, events in found.items()}
    assert kinds == {
        **{name: [] for name in ('nothing', 'number', 'away')},
        **{name: ['host read'] for name in ('item', 'branch', 'values', 'back', 'where')},
        **{name: ['blocking copy'] for name in ('blocking', 'made', 'into')},
        'mask': ['boolean index'],
        **{name: ['mixed devices'] for name in ('mixed', 'index')},
    }
    number = 1 + CAUSES.splitlines().index('    item=lambda: x.sum().item(),')
    assert found['item'] == [['host read', f'causes.py:{number}']]
