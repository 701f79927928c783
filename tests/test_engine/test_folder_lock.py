import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsss.engine import folder_lock
from mmwsss.engine.folder_lock import hold_folder
from mmwsss.engine.labels.store import LabelStore
from mmwsss.engine.pipeline.run import run_pipeline
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.engine.pipeline.stage_run import run_single
from mmwsss.engine.pipeline.stages import Stage, load_stages
from mmwsss.engine.state.contents import Contents
from mmwsss.structures import UserInputError

DEMO = Path(__file__).parents[2] / 'configs/demo'


@contextmanager
def another_run(folder):
    """A process that holds the folder and has a child, such as a data loader's worker."""
    reader, writer = os.pipe()
    run = os.fork()
    if run == 0:
        with hold_folder(folder):
            worker = os.fork()
            if worker == 0:
                time.sleep(60)
            os.write(writer, str(worker).encode())
            time.sleep(60)
        os._exit(0)
    worker = int(os.read(reader, 100))
    try:
        yield run
    finally:
        for process in (run, worker):
            os.kill(process, signal.SIGKILL)
        os.waitpid(run, 0)


def test_a_second_run_is_refused_and_told_who_is_there(tmp_path):
    with another_run(tmp_path / 'work') as run:
        expected = rf'work is in use by process {run} on \S+\. Wait'
        with pytest.raises(UserInputError, match=expected), hold_folder(tmp_path / 'work'):
            pass


def test_the_folder_is_free_as_soon_as_its_holder_is_killed_though_its_worker_lives(tmp_path):
    with another_run(tmp_path) as run:
        os.kill(run, signal.SIGKILL)
        os.waitid(os.P_PID, run, os.WEXITED | os.WNOWAIT)
        with hold_folder(tmp_path):
            pass


def test_the_holder_may_hold_it_again_and_keeps_it(tmp_path):
    def is_refused():
        run = os.fork()
        if run == 0:
            try:
                with hold_folder(tmp_path):
                    os._exit(0)
            except UserInputError:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(run, 0)[1]) == 1

    with hold_folder(tmp_path):
        with hold_folder(tmp_path):
            pass
        assert is_refused()
    assert not is_refused()


def test_all_ranks_are_refused_with_the_first(tmp_path, on_ranks):
    def on_rank(_):
        try:
            with hold_folder(tmp_path):
                return 'held'
        except UserInputError as error:
            return str(error)

    assert on_ranks(3, on_rank) == ['held'] * 3
    with another_run(tmp_path):
        lines = on_ranks(3, on_rank)
    assert len(set(lines)) == 1
    assert 'in use' in lines[0]


def test_only_the_holder_removes_leftovers(tmp_path):
    left = tmp_path / '.label.png.0123456789abcdef.tmp'
    with another_run(tmp_path):
        left.touch()
        with pytest.raises(UserInputError), hold_folder(tmp_path):
            pass
        assert left.exists()
    with hold_folder(tmp_path):
        assert not left.exists()


def test_folders_below_are_cleaned_only_if_they_are_named(tmp_path):
    folders = [tmp_path / name for name in ('seed', 'seed/2007', 'training', 'seed/others')]
    left = [folder / '.a.bin.0123456789abcdef.tmp' for folder in folders]
    for path in left:
        path.parent.mkdir(parents=True)
        path.touch()
    with hold_folder(tmp_path, subfolders=[*folders[:2], tmp_path / 'absent']):
        assert [path.exists() for path in left] == [False, False, True, True]


def test_labels_of_ids_with_a_folder_have_it_below_every_label_name(tmp_path):
    ids = {'2007/a': '', '2007/b': '', 'c': ''}
    store = LabelStore(tmp_path, ('seed', 'crf'), ('crf',), [], '', ids)
    folders = {str(path.relative_to(tmp_path)) for path in store.subfolders}
    tops = {'seed', 'crf', 'crf_scores'}
    assert folders == tops | {f'{top}/2007' for top in tops}


def test_where_locks_are_not_supported_a_run_goes_on_with_a_warning(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(folder_lock, 'fcntl', None)
    monkeypatch.setattr(folder_lock, 'print_log', lambda line, *_: lines.append(line))
    left = tmp_path / '.label.png.0123456789abcdef.tmp'
    left.touch()
    with hold_folder(tmp_path):
        assert left.exists()  # of a run that may still be alive
    assert len(lines) == 1
    assert 'cannot be locked' in lines[0]


def test_a_folder_that_is_a_file_is_refused_in_one_line(tmp_path):
    (tmp_path / 'work').touch()
    with pytest.raises(UserInputError, match='work'), hold_folder(tmp_path / 'work'):
        pass


def test_a_lock_is_no_content_of_its_folder(tmp_path):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/map.npz').write_bytes(b'scores')
    contents = Contents(tmp_path / 'contents.json')
    before = contents.of_path(str(tmp_path / 'data'))
    with hold_folder(tmp_path / 'data'):
        assert contents.of_path(str(tmp_path / 'data')) == before


def test_neither_a_training_nor_a_pipeline_starts_in_a_folder_in_use(
    tmp_path, shapes_data, monkeypatch
):
    monkeypatch.setenv('MMWSSS_DATA', str(shapes_data))
    config = Config.fromfile(DEMO / 'psa-cam_resnet18_shapes-96x96.py')
    stage = Stage('classifier', config)
    with another_run(tmp_path / 'work'), pytest.raises(UserInputError, match='in use'):
        run_single(stage, tmp_path / 'work')
    pipeline = load_stages(Config.fromfile(DEMO / 'psa_shapes.py'))
    with another_run(tmp_path / 'work'), pytest.raises(UserInputError, match='in use'):
        run_pipeline(pipeline, tmp_path / 'work', only=['classifier'])
    assert [path.name for path in (tmp_path / 'work').iterdir()] == ['.lock']


@pytest.fixture
def label_stage(tmp_path, shapes_data, label_config):
    """Config of a stage that writes to the folder ``labels``."""
    labels = dict(seed=dict(background=dict(type='ConstantBackground', threshold=0.5)))
    return label_config(shapes_data, 'val', tmp_path / 'labels', labels)


def test_two_label_tools_do_not_write_to_one_folder(tmp_path, label_stage):
    with another_run(tmp_path / 'labels'), pytest.raises(UserInputError, match='in use'):
        run_stage(label_stage, tmp_path / 'second/a', task='test')
    assert not list((tmp_path / 'labels').rglob('*.png'))


def test_labels_made_beside_a_training_leave_its_half_written_checkpoint(tmp_path, label_stage):
    names = ('training/.iter_4.pth.0123456789abcdef.tmp', 'seed/.a.png.0123456789abcdef.tmp')
    checkpoint, label = (tmp_path / 'labels' / name for name in names)
    for path in (checkpoint, label):
        path.parent.mkdir(parents=True)
        path.touch()
    run_stage(label_stage, tmp_path / 'work/a', task='test')
    assert checkpoint.exists()
    assert not label.exists()
