"""Labels from saliency maps, made by the loop with worker processes."""

import itertools

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmwsss.engine.checks.stage_checks import check_stage
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import UserInputError

pytest.importorskip('pydensecrf')

_runs = itertools.count()


@pytest.fixture
def saliency_folder(shapes_data, tmp_path):
    """Maps of all validation images except the first: salient in the upper half."""
    folder = tmp_path / 'saliency'
    folder.mkdir()
    names = (shapes_data / 'shapes/ImageSets/Segmentation/val.txt').read_text().split()
    for name in names[1:]:
        saliency = np.zeros((96, 96), dtype=np.uint8)
        saliency[:48] = 255
        Image.fromarray(saliency).save(folder / f'{name}.png')
    return folder


def labels_of(folder, **labeler):
    return dict(
        crf=dict(
            background=dict(type='ConstantBackground', threshold=0.5),
            refiners=[dict(type='DenseCRF', iterations=1)],
        ),
        clear=dict(
            start='crf',
            refiners=[dict(type='SaliencyBackground', folder=str(folder))],
            labeler=dict(type='ConflictLabeler', **labeler),
        ),
    )


@pytest.fixture
def make_labels(shapes_data, label_config, tmp_path):
    def run(labels, num_workers=0):
        folder = tmp_path / 'labels'
        config = label_config(shapes_data, 'val', folder, labels, num_workers=num_workers)
        run_stage(config, tmp_path / f'run{next(_runs)}/a', task='test')
        return {p.name: np.asarray(Image.open(p)) for p in (folder / 'clear').iterdir()}

    return run


def made_at(tmp_path):
    return {p.name: p.stat().st_mtime_ns for p in (tmp_path / 'labels/clear').iterdir()}


def logs(tmp_path):
    return ''.join(path.read_text() for path in tmp_path.glob('run*/a/*/*.log'))


def test_images_without_a_map_are_counted(make_labels, saliency_folder, tmp_path):
    made = make_labels(labels_of(saliency_folder))
    assert len(made) == 6
    assert any(255 in label and 0 in label for label in made.values())
    assert 'without_saliency (images of this process: 1)' in logs(tmp_path)


@pytest.mark.slow
def test_worker_processes_and_this_one_make_the_same_labels(make_labels, saliency_folder, tmp_path):
    made = make_labels(labels_of(saliency_folder), num_workers=1)
    for path in (tmp_path / 'labels').rglob('*.png'):
        path.unlink()
    again = make_labels(labels_of(saliency_folder))
    assert all(np.array_equal(again[name], label) for name, label in made.items())


def test_labels_are_made_again_for_other_maps_and_another_labeler(
    make_labels, saliency_folder, tmp_path
):
    make_labels(labels_of(saliency_folder))
    times = made_at(tmp_path)
    moved = saliency_folder.rename(tmp_path / 'moved')
    make_labels(labels_of(moved))
    assert made_at(tmp_path) == times
    absent = next(moved.iterdir())
    absent.unlink()
    make_labels(labels_of(moved))
    other_maps = made_at(tmp_path)
    assert [name for name, time in times.items() if other_maps[name] != time] == [absent.name]
    make_labels(labels_of(moved, attention_threshold=0.7))
    assert all(made_at(tmp_path)[name] != time for name, time in other_maps.items())


def test_a_missing_folder_stops_the_loop_before_it_starts(make_labels, tmp_path):
    with pytest.raises(UserInputError, match=r'needs .*/none, which does not exist'):
        make_labels(labels_of(tmp_path / 'none'))
    assert not (tmp_path / 'labels').exists()


def test_the_part_reads_the_name_of_the_image_so_it_stays_out_of_the_workers():
    part = TASK_UTILS.build(dict(type='SaliencyBackground', folder='maps'))
    assert part.in_worker is False
    assert part.files == ('maps',)


def test_a_missing_folder_is_found_before_the_first_stage(saliency_folder, tmp_path):
    def check(folder):
        generator = dict(type='PseudoLabelGenerator', labels=labels_of(folder))
        config = Config(dict(test_cfg=dict(type='PseudoLabelLoop', generator=generator)))
        return check_stage('labels', config, task='test')

    assert check(saliency_folder) is None
    with pytest.raises(UserInputError, match=r"stage 'labels': .*/none, which does not exist"):
        check(tmp_path / 'none')


def test_maps_of_other_images_alone_stop_the_loop(make_labels, saliency_folder, tmp_path):
    for path in list(saliency_folder.iterdir()):
        path.rename(path.with_stem(f'{path.stem}_saliency'))
    with pytest.raises(UserInputError, match=r'saliency.* has no map of any of the 6 images'):
        make_labels(labels_of(saliency_folder))
    assert not (tmp_path / 'labels').exists()


@pytest.mark.parametrize(
    ('loader', 'message'),
    [
        (dict(num_workers=-1), r'test_dataloader\.num_workers = -1 must be a whole number'),
        (dict(num_workers=0, persistent_workers=True), 'persistent_workers is True'),
    ],
)
def test_wrong_numbers_of_processes_are_found_before_the_first_stage(loader, message):
    with pytest.raises(UserInputError, match=message):
        check_stage('labels', Config(dict(test_dataloader=loader)), task='test')


def test_a_loop_may_leave_its_number_of_processes_open_but_a_loader_may_not(saliency_folder):
    generator = dict(type='PseudoLabelGenerator', labels=labels_of(saliency_folder))
    loop = dict(type='PseudoLabelLoop', generator=generator, num_workers=None)
    assert check_stage('labels', Config(dict(test_cfg=loop)), task='test') is None
    loader = Config(dict(test_cfg=loop, test_dataloader=dict(num_workers=None)))
    with pytest.raises(UserInputError, match=r'test_dataloader\.num_workers = None must be'):
        check_stage('labels', loader, task='test')
