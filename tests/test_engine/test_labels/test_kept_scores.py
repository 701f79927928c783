"""Scores written next to the labels, and used by a later stage."""

import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmwsss.engine.checks.stage_checks import check_stage
from mmwsss.engine.labels import store as label_store
from mmwsss.engine.pipeline.runner import StageRunner
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.engine.pipeline.stages import output_names
from mmwsss.pseudo_labels import LabelMaps
from mmwsss.structures import (
    UserInputError,
    from_grid,
    grid_means,
    read_scores,
    write_scores,
)

pytest.importorskip('pydensecrf')

ROOT = Path(__file__).parents[3]
CRF = dict(type='DenseCRF', iterations=2)
LABELS = dict(
    seed=dict(background=dict(type='ConstantBackground', threshold=0.5)),
    low=dict(background=dict(type='ConstantBackground', threshold=0.9), refiners=[CRF]),
    high=dict(background=dict(type='ConstantBackground', threshold=0.1), refiners=[CRF]),
)
_runs = itertools.count()


@pytest.fixture(scope='module')
def make_labels(shapes_data, label_config, tmp_path_factory):
    """Label the shapes' training images with filled boxes, or another model, in this process."""
    work = tmp_path_factory.mktemp('work')

    def run(out_dir, *, labels=LABELS, keep_scores=('seed', 'high'), data=shapes_data, **options):
        config = label_config(data, 'train', out_dir, labels, keep_scores=keep_scores, **options)
        return run_stage(config, work / f'run{next(_runs)}' / 'a' / 'b', task='test')

    return run


@pytest.fixture(scope='module')
def made(make_labels, tmp_path_factory):
    out_dir = tmp_path_factory.mktemp('labels') / 'made'
    return out_dir, make_labels(out_dir)


@pytest.fixture
def copy(made, tmp_path):
    """A copy of the finished folder to damage."""
    for path in made[0].glob('**/*'):
        if path.is_file():
            target = tmp_path / path.relative_to(made[0])
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def content(out_dir):
    return {str(p.relative_to(out_dir)): p.read_bytes() for p in out_dir.glob('*/*')}


def test_every_image_gets_the_scores_asked_for(made):
    out_dir, result = made
    assert set(result.outputs) == {'seed', 'low', 'high', 'seed_scores', 'high_scores'}
    names = {path.stem for path in (out_dir / 'seed').iterdir()}
    assert len(names) == 12
    for folder in ('seed_scores', 'high_scores'):
        assert result.outputs[folder] == str(out_dir / folder)
        assert {path.name for path in (out_dir / folder).iterdir()} == {f'{n}.npz' for n in names}
    assert not (out_dir / 'low_scores').exists()
    manifest = json.loads((out_dir / 'manifest.json').read_text())
    assert manifest['scores'] == ['seed', 'high']


def test_the_scores_are_those_behind_the_label(made):
    for path in (made[0] / 'high_scores').iterdir():
        scores, classes = read_scores(path)
        rows = np.concatenate([[0], classes + 1])
        with Image.open(made[0] / 'high' / f'{path.stem}.png') as label:
            assert (rows[scores.argmax(axis=0)] == np.asarray(label)).mean() > 0.999  # float16
        with np.load(path) as file:
            stamp = json.loads((made[0] / 'manifest.json').read_text())['fingerprint']
            assert str(file['fingerprint']).startswith(f'{stamp}-')


def test_a_pool_of_processes_writes_the_same_files(made, make_labels, tmp_path):
    make_labels(tmp_path, num_workers=1)
    assert content(tmp_path) == content(made[0])


def test_finished_files_are_left_alone(copy, make_labels):
    before = {path: path.stat().st_mtime_ns for path in copy.glob('*/*')}
    make_labels(copy)
    assert {path: path.stat().st_mtime_ns for path in copy.glob('*/*')} == before


@pytest.mark.parametrize('damage', ['label missing', 'scores missing', 'scores cut', 'other stamp'])
def test_an_image_without_all_its_files_is_made_again(made, copy, make_labels, damage):
    name = min(path.stem for path in (copy / 'seed').iterdir())
    scores = copy / 'high_scores' / f'{name}.npz'
    if damage == 'label missing':  # a kill after the scores were written
        for label in ('seed', 'low', 'high'):
            (copy / label / f'{name}.png').unlink()
    elif damage == 'scores missing':
        scores.unlink()
    elif damage == 'scores cut':
        scores.write_bytes(scores.read_bytes()[:-30])
    else:
        write_scores(scores, *read_scores(scores), 'other')
    (copy / 'high_scores' / '.left.npz.1.tmp').write_text('half a file')
    keeper = copy / 'seed' / f'{max(path.stem for path in (copy / "seed").iterdir())}.png'
    before = keeper.stat().st_mtime_ns
    make_labels(copy)
    assert content(copy) == content(made[0])
    assert keeper.stat().st_mtime_ns == before


def test_an_image_whose_box_changes_is_made_again_and_no_other(
    copy, make_labels, shapes_data, tmp_path_factory
):
    data = tmp_path_factory.mktemp('data')
    shutil.copytree(shapes_data / 'shapes', data / 'shapes')
    name = min(path.stem for path in (copy / 'seed').iterdir())
    annotation = data / 'shapes/Annotations' / f'{name}.xml'
    text = annotation.read_text()
    annotation.write_text(re.sub(r'<xmax>\d+</xmax>', '<xmax>96</xmax>', text, count=1))
    before = content(copy)
    make_labels(copy, data=data)
    changed = {path for path, made_first in before.items() if content(copy)[path] != made_first}
    assert changed == {
        *(f'{folder}/{name}.png' for folder in ('seed', 'low', 'high')),
        *(f'{folder}_scores/{name}.npz' for folder in ('seed', 'high')),
    }


def test_a_label_appears_only_after_its_scores(tmp_path, monkeypatch):
    written = []
    for name in ('write_scores', 'write_label'):
        monkeypatch.setattr(label_store, name, lambda path, *_, **__: written.append(path.name))
    store = label_store.LabelStore(tmp_path, ('a',), {'a': 1}, [], 'x', {'i': 'y'})
    label = np.zeros((2, 2), dtype=np.uint8)
    maps = LabelMaps({'a': label}, {'a': torch.ones(1, 2, 2)}, torch.zeros(0))
    store.writing('i', maps)()
    assert written == ['i.npz', 'i.png']


def test_scores_are_kept_at_a_stride_and_made_again_at_another_one(made, copy, make_labels):
    before = content(copy)
    make_labels(copy, keep_scores=dict(seed=4, high=1))
    after = content(copy)
    changed = {path for path, made_first in before.items() if after[path] != made_first}
    assert changed == {path for path in before if path.startswith('seed_scores/')}
    for path in (copy / 'seed_scores').iterdir():
        full, classes = read_scores(made[0] / 'seed_scores' / path.name)
        scores, _ = read_scores(path)
        means = grid_means(torch.from_numpy(full.astype(np.float32)), 4)
        expected = from_grid(means.half().float(), 4, full.shape[1:])
        assert np.array_equal(scores, expected.half().numpy())
        with np.load(path) as file:
            assert file['scores'].shape == (1 + len(classes), 24, 24)
    make_labels(copy)
    assert content(copy) == before


@pytest.mark.parametrize('stride', [0, 65, 4.0, True, 'seed'])
def test_strides_that_no_grid_has_are_refused(make_labels, tmp_path, stride):
    with pytest.raises(UserInputError, match=r'keep_scores\.seed = .* between 1 .* and 64'):
        make_labels(tmp_path, keep_scores=dict(seed=stride))


def test_scores_of_a_label_that_is_not_made_are_refused(make_labels, tmp_path):
    with pytest.raises(UserInputError, match=r"\['lo'\], but the labels are \['seed', 'low'"):
        make_labels(tmp_path, keep_scores=('seed', 'lo'))
    with pytest.raises(UserInputError, match='Give a tuple'):
        make_labels(tmp_path, keep_scores='low')


def test_scores_of_a_label_that_is_not_made_are_refused_before_the_pipeline_starts():
    generator = dict(type='PseudoLabelGenerator', labels=LABELS)
    config = Config(
        dict(test_cfg=dict(type='PseudoLabelLoop', generator=generator, keep_scores=('Y',)))
    )
    with pytest.raises(UserInputError, match=r"stage 'labels'.*\['Y'\], but the labels are"):
        check_stage('labels', config, task='test')


def test_a_model_without_weights_needs_no_wrapper_on_several_ranks():
    runner = object.__new__(StageRunner)
    runner._distributed = True
    model = torch.nn.Conv2d(1, 1, 1).requires_grad_(False)
    assert runner.wrap_model(None, model) is model


def test_later_stages_can_take_the_folders_of_scores():
    config = Config(
        dict(
            test_cfg=dict(
                type='PseudoLabelLoop', generator=dict(labels=LABELS), keep_scores=('low',)
            )
        )
    )
    assert output_names(config, 'test') == {'seed', 'low', 'high', 'low_scores'}


def stored(folder):
    return dict(type='StoredCAMs', folder=str(folder))


def test_stored_seeds_give_the_labels_of_their_network(made, make_labels, tmp_path):
    make_labels(tmp_path, model=stored(made[0] / 'seed_scores'))
    first, again = content(made[0]), content(tmp_path)
    assert first.keys() == again.keys()
    for name in ('seed', 'low', 'high'):
        for path in (tmp_path / name).iterdir():
            with Image.open(path) as a, Image.open(made[0] / name / path.name) as b:
                assert np.array_equal(a, b)


def stamps(out_dir):
    found = {}
    for path in (out_dir / 'seed').iterdir():
        with Image.open(path) as image:
            found[path.name] = image.info['mmwsss']
    return found


def test_labels_of_stored_seeds_depend_on_what_made_the_seeds_not_on_where_they_lie(
    made, copy, make_labels, tmp_path_factory
):
    def run(folder):
        out_dir = tmp_path_factory.mktemp('from_seeds')
        make_labels(out_dir, model=stored(folder), labels=dict(seed=LABELS['seed']), keep_scores=())
        return stamps(out_dir)

    first = run(made[0] / 'seed_scores')
    assert run(copy / 'seed_scores') == first
    assert run(copy / 'high_scores') != first  # other scores of the same run
    manifest = json.loads((copy / 'manifest.json').read_text())
    (copy / 'manifest.json').write_text(json.dumps({**manifest, 'fingerprint': 'other'}))
    for path in (copy / 'seed_scores').iterdir():
        write_scores(path, *read_scores(path), 'other')
    assert run(copy / 'seed_scores') != first


def test_stored_seeds_without_a_manifest_count_by_their_files(made, copy, make_labels, tmp_path):
    def run():
        out_dir = tmp_path / 'out'
        model, labels = stored(copy / 'seed_scores'), dict(seed=LABELS['seed'])
        make_labels(out_dir, model=model, labels=labels, keep_scores=())
        return stamps(out_dir)

    (copy / 'manifest.json').unlink()
    first = run()
    assert run() == first
    path = min((copy / 'seed_scores').iterdir())
    scores, classes = read_scores(path)
    write_scores(path, scores / 2, classes, 'other')
    again = run()
    assert [name for name, stamp in again.items() if stamp != first[name]] == [f'{path.stem}.png']
