"""A user's own twelve photographs and their description become labels and a segmentor."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from photographs import (
    IDS,
    PHOTOGRAPHS,
    draw_photograph,
    image_id,
    tags,
    write_class_folders,
    write_coco,
    write_csv,
    write_photographs,
    write_yolo,
)
from PIL import Image

DEMO = Path(__file__).parents[2] / 'configs/demo'
STAGES = ('classifier', 'seeds', 'affinity', 'walk', 'segmentor')
SHORT = [
    *(f'{stage}.train_cfg.max_iters=2' for stage in ('classifier', 'affinity', 'segmentor')),
    *(f'{stage}.test_cfg.num_workers=0' for stage in ('seeds', 'walk')),
]
BOXES_SHORT = [
    *(f'{stage}.train_cfg.max_iters=2' for stage in ('classifier', 'segmentor')),
    'labels.test_cfg.num_workers=0',
]


class OwnData:
    """A folder in which a user works: photographs, their description, and the results."""

    def __init__(self, warm, folder):
        self.warm, self.folder = warm, folder
        self.root = write_photographs(folder / 'photographs', masks=True)

    def describe(self, **changes):
        data = {'root': 'photographs', 'classes': ('cat', 'dog'), 'labels': 'tags.json', **changes}
        (self.folder / 'pets.py').write_text(f'data = {data!r}')

    def run(self, tool, config, *options, code=0):
        argv = [f'tools/{tool}.py', config, '--data', 'pets.py', '--cfg-options', *options]
        done = self.warm.run(argv, cwd=self.folder)
        assert done.code == code, done.stderr[-3000:]
        assert 'Traceback' not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def train(self, pipeline='psa_shapes', short=SHORT, **options):
        """Run a pipeline; return the stages that started, and the output."""
        printed = self.run('train', DEMO / f'{pipeline}.py', *short, **options)
        started = [name for name in STAGES if f': {name}\n' in printed]
        return started, printed

    @property
    def work(self):
        return self.folder / 'work_dirs/psa_shapes_pets'

    def metrics(self, stage):
        return json.loads((self.work / 'results.json').read_text())[stage]['metrics']


@pytest.fixture(scope='module')
def own(warm, tmp_path_factory):
    pytest.importorskip('pydensecrf')
    own = OwnData(warm, tmp_path_factory.mktemp('own'))
    own.describe()
    own.first = own.train()
    return own


@pytest.mark.slow
def test_tags_are_enough_for_labels_and_a_segmentor(own):
    started, printed = own.first
    assert started == list(STAGES)
    assert "stage 'segmentor' trains without validation: the data have no `val`" in printed
    for stage in ('seeds/labels/seed', 'walk/labels/walk_crf'):
        labels = {
            str(path.relative_to(own.work / stage).with_suffix('')): np.asarray(Image.open(path))
            for path in (own.work / stage).rglob('*.png')
        }
        assert sorted(labels) == IDS
        for file in PHOTOGRAPHS:
            label = labels[image_id(file)]
            allowed = {0, 255, *(1 + ('cat', 'dog').index(name) for name in tags()[image_id(file)])}
            assert set(np.unique(label)) <= allowed
            assert label.shape == (80, 96)
    # Without val the pictures show training images.
    for name in ('seeds', 'walk', 'segmentor'):
        assert (own.work / f'{name}.png').stat().st_size > 5_000
    assert own.metrics('seeds') == own.metrics('segmentor') == {}


@pytest.mark.slow
def test_new_images_are_predicted_without_the_data(own):
    new = {'ein Hund.png': 'dog', 'draußen/Kätzchen.JPG': 'cat'}
    for seed, (file, name) in enumerate(new.items(), start=100):
        box = (20, 20, 70, 60)
        draw_photograph(own.folder / 'neue Bilder' / file, [(name, box)], seed=seed)
    for stage, label in (('segmentor', 'pred'), ('walk', 'walk_crf')):
        options = ['neue Bilder', '--out-dir', f'predicted by {stage}']
        argv = ['tools/predict.py', own.work / f'{stage}.py', *options]
        done = own.warm.run(argv, cwd=own.folder)
        assert done.code == 0, done.stderr[-3000:]
        for file in new:
            path = own.folder / f'predicted by {stage}' / label / f'{image_id(file)}.png'
            predicted = Image.open(path)
            assert predicted.mode == 'P' and predicted.size == (96, 80)
            assert np.asarray(predicted).max() <= 2


@pytest.mark.slow
def test_data_that_moved_train_nothing_again(own):
    shutil.move(own.root, own.folder / 'elsewhere')
    own.describe(root='elsewhere')
    started, printed = own.train()
    assert started == []
    assert printed.count('is finished') == len(STAGES)
    shutil.move(own.folder / 'elsewhere', own.root)
    own.describe()


@pytest.mark.slow
def test_the_same_tags_in_other_formats_train_nothing_again(own):
    own.train()
    write_csv(own.root / 'tags.csv')
    write_class_folders(own.root / 'by class', own.root / 'images')
    write_coco(own.root / 'coco.json')  # tags are derived from boxes
    write_yolo(own.root / 'yolo')
    for labels in ('tags.csv', 'by class', 'coco.json', 'yolo'):
        own.describe(labels=labels)
        started, printed = own.train()
        assert started == []
        assert printed.count('is finished') == len(STAGES)
    own.describe()


@pytest.mark.slow
def test_boxes_become_labels_and_a_segmentor(own):
    write_coco(own.root / 'coco.json')
    own.describe(labels='coco.json')
    own.train('bana_shapes', BOXES_SHORT)
    labels = own.folder / 'work_dirs/bana_shapes_pets/labels/labels/Y_crf'
    assert sorted(str(p.relative_to(labels).with_suffix('')) for p in labels.rglob('*.png')) == IDS
    own.describe()


@pytest.mark.slow
def test_masks_measure_the_labels_of_their_images_and_a_list_the_segmentor(own):
    (own.root / 'masks/a.png').unlink()
    (own.root / 'val.txt').write_text('b.v2\nc\n')
    own.describe(masks='masks', val='val.txt')
    started, printed = own.train()
    assert started == list(STAGES)
    assert 'images with a true mask: 9 of 10' in printed
    assert own.metrics('walk')['walk_crf/mIoU'] >= 0
    assert own.metrics('segmentor')['mIoU'] >= 0
    own.describe()


@pytest.mark.slow
def test_another_tag_or_name_trains_again(own):
    own.train()
    before = (own.root / 'tags.json').read_bytes()
    changed = tags() | {'d': ['cat']}
    (own.root / 'tags.json').write_text(json.dumps(changed))
    assert own.train()[0][:2] == ['classifier', 'seeds']
    (own.root / 'tags.json').write_bytes(before)
    assert own.train()[0][:2] == ['classifier', 'seeds']
    own.describe(classes=dict(cat='kitty', dog='dog'))
    assert 'classifier' in own.train()[0]
    own.describe()


@pytest.mark.slow
def test_a_pipeline_of_boxes_refuses_tags_in_one_line(own):
    _, printed = own.train('bana_shapes', BOXES_SHORT, code=2)
    assert 'needs boxes, but' in printed
    assert printed.count('\n') == 1


@pytest.mark.slow
def test_single_stages_take_own_data(own, tmp_path):
    checkpoint = next((own.work / 'classifier').glob('iter_*.pth'))
    config = DEMO / 'psa-cam_resnet18_shapes-96x96.py'
    out = ['test_cfg.num_workers=0', f'test_cfg.out_dir={tmp_path}', f'load_from={checkpoint}']
    own.run('generate_pseudo_labels', config, *out)
    assert len(list((tmp_path / 'seed').rglob('*.png'))) == len(IDS)
    segmentor = DEMO / 'psa-ce_resnet18_shapes-96x96.py'
    printed = own.run('test', segmentor, 'randomness.seed=0', code=2)
    assert 'nothing to test on: the data have no `val`' in printed and printed.count('\n') == 1
