from pathlib import Path

import pytest
from mmengine.config import Config
from photographs import write_coco, write_photographs

from mmwsss.engine.checks.preflight import preflight
from mmwsss.engine.config.own_datasets import dicts_in
from mmwsss.engine.pipeline.stages import load_stages
from mmwsss.structures import UserInputError

CONFIGS = Path(__file__).parents[3] / 'configs'
DESCRIPTION = "dict(root={root!r}, classes=('cat', 'dog'), labels={labels!r})"


@pytest.fixture
def root(tmp_path):
    return write_photographs(tmp_path / 'photographs', masks=True)


@pytest.fixture
def write(root, tmp_path):
    """Write two stages of a pipeline, with the data description in one of three places."""

    def pipeline(*places):
        data = f'data = {DESCRIPTION.format(root=str(root), labels="tags.json")}'
        demo = f'{CONFIGS}/demo/psa'
        for stage, base in (('classifier', 'cam_resnet18_shapes-96x96'), ('walk', 'walk_resnet18')):
            text = f"_base_ = ['{demo}-{base}{'_shapes' if stage == 'walk' else ''}.py']\n"
            text += data if stage in places else ''
            (tmp_path / f'{stage}.py').write_text(text)
        (tmp_path / 'two.py').write_text(
            "stages = dict(classifier=dict(config='classifier.py'), walk=dict(config='walk.py'))\n"
            + (data if 'pipeline' in places else '')
        )
        return Config.fromfile(tmp_path / 'two.py')

    return pipeline


def labels_of(stages):
    """Label file by stage; None if the stage uses its shapes."""
    datasets = [
        (s.config.get('train_dataloader') or s.config.test_dataloader).dataset for s in stages
    ]
    return [dataset.data.labels if 'data' in dataset else None for dataset in datasets]


def test_data_of_the_pipeline_are_those_of_all_its_stages(write):
    assert labels_of(load_stages(write('pipeline'))) == ['tags.json', 'tags.json']


def test_a_stage_may_have_its_own(write):
    assert labels_of(load_stages(write('walk'))) == [None, 'tags.json']


def test_the_command_line_replaces_both(write, root):
    (root / 'tags.json').rename(root / 'other.json')
    data = dict(root=str(root), classes=('cat', 'dog'), labels='other.json')
    stages = load_stages(write('pipeline', 'walk'), data=data)
    assert labels_of(stages) == ['other.json', 'other.json']


def test_one_key_is_overridden_for_all_stages_or_one(write, root):
    (root / 'other.json').write_bytes((root / 'tags.json').read_bytes())
    config = write('pipeline')
    stages = load_stages(config, {'data.labels': 'other.json'})
    assert labels_of(stages) == ['other.json', 'other.json']
    stages = load_stages(config, {'walk.data.labels': 'other.json'})
    assert labels_of(stages) == ['tags.json', 'other.json']
    with pytest.raises(UserInputError, match="has no 'data'"):
        load_stages(write(), {'data.labels': 'other.json'})


PIPELINES = sorted(
    path
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.parts and 'stages = ' in path.read_text()
)


# One for tags, one for boxes; the others run with all tests.
QUICK = ('psa_mobilenet-v2_voc', 'bana_voc')
CASES = [
    pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow)
    for path in PIPELINES
]


@pytest.mark.parametrize('path', CASES)
def test_of_every_pipeline_only_tests_are_left_out(path, root):
    stages = load_stages(Config.fromfile(path), data=boxes_of(root))
    left_out = [stage.name for stage in stages if stage.is_left_out]
    assert set(left_out) <= {'test', 'seed_with_ground_truth'}
    assert {'test'} & {stage.name for stage in stages} <= set(left_out)
    for stage in stages:
        assert 'VOCdevkit' not in str(stage.config.get('train_dataloader'))
        assert 'VOCdevkit' not in str(stage.config.get('test_dataloader'))


@pytest.mark.slow
@pytest.mark.parametrize('path', PIPELINES, ids=lambda path: path.stem)
def test_every_stage_of_every_pipeline_can_start_on_own_data(path, root):
    pytest.importorskip('pydensecrf')
    (root / 'val.txt').write_text('a')
    data = boxes_of(root) | dict(masks='masks', val='val.txt')
    for stage in load_stages(Config.fromfile(path), data=data):
        assert not stage.is_left_out
        for part in dicts_in(stage.config._cfg_dict):
            if part.get('type') == 'Pretrained':
                part['type'] = 'Normal'  # weights are not available
                del part['checkpoint']
            if 'saliency' in str(part.get('folder')):
                part['folder'] = str(root)
            part.pop('pretrained', None)
        taken = frozenset(stage.takes)
        preflight(stage.name, stage.config, task=stage.task, tta=stage.tta, taken=taken)


def boxes_of(root):
    write_coco(root / 'coco.json')
    return dict(root=str(root), classes=('cat', 'dog'), labels='coco.json')
