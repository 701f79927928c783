import json

import pytest
from mmengine.config import Config

from mmwsss.engine import pipeline, stage_checks
from mmwsss.engine.pipeline import run_pipeline
from mmwsss.engine.report import write_report
from mmwsss.engine.stage import StageResult
from mmwsss.engine.stages import load_stages
from mmwsss.structures import UserInputError


@pytest.fixture
def folder(tmp_path):
    """Two stage configs, a pipeline of them, and the folder of results."""
    (tmp_path / 'classify.py').write_text('train_cfg = dict(max_iters=1)\nload_from = None\n')
    (tmp_path / 'segment.py').write_text(
        'train_cfg = dict(max_iters=2)\nload_from = None\nlabels = None\n'
    )
    (tmp_path / 'two.py').write_text(
        "stages = [dict(name='classifier', config='classify.py'),\n"
        "          dict(name='segmentor', config='segment.py',\n"
        "               takes={'load_from': 'classifier.checkpoint'})]\n"
    )
    return tmp_path


@pytest.fixture
def ran(monkeypatch):
    """Replace the running of a stage by one that writes a checkpoint and notes the call."""
    calls = []

    def run_stage(config, work_dir, **options):
        calls.append((work_dir.name, config.get('load_from'), options))
        work_dir.mkdir(parents=True, exist_ok=True)
        (work_dir / 'last.pth').write_text(work_dir.name)
        outputs = {name: str(work_dir / 'last.pth') for name in ('checkpoint', 'Y')}
        return StageResult(outputs, {'mIoU': 50.0})

    monkeypatch.setattr(pipeline, 'run_stage', run_stage)
    monkeypatch.setattr(stage_checks, '_check_generator', lambda name, config, taken: None)
    return calls


def stages_of(folder, **options):
    return load_stages(Config.fromfile(folder / 'two.py'), options)


def test_a_stage_takes_what_an_earlier_one_gives(folder, ran):
    results = run_pipeline(stages_of(folder), folder / 'work')
    assert [name for name, _, _ in ran] == ['classifier', 'segmentor']
    assert ran[1][1] == results['classifier'].outputs['checkpoint']


def test_finished_stages_are_skipped(folder, ran):
    first = run_pipeline(stages_of(folder), folder / 'work')
    again = run_pipeline(stages_of(folder), folder / 'work')
    assert len(ran) == 2
    assert again == first


def test_a_stage_with_other_settings_runs_again_and_so_do_those_that_take_from_it(folder, ran):
    run_pipeline(stages_of(folder), folder / 'work')
    options = {'classifier.train_cfg.max_iters': 7}
    run_pipeline(stages_of(folder, **options), folder / 'work')
    assert [name for name, _, _ in ran] == ['classifier', 'segmentor'] * 2


def test_a_change_of_the_last_stage_leaves_the_first_alone(folder, ran):
    run_pipeline(stages_of(folder), folder / 'work')
    options = {'segmentor.train_cfg.max_iters': 7}
    run_pipeline(stages_of(folder, **options), folder / 'work')
    assert [name for name, _, _ in ran] == ['classifier', 'segmentor', 'segmentor']


def test_new_labels_in_an_old_folder_are_not_taken_for_the_old_ones(folder, ran):
    (folder / 'label.py').write_text(
        "test_cfg = dict(type='PseudoLabelLoop', generator=dict(labels=dict(Y=dict())))\n"
    )
    (folder / 'two.py').write_text(
        "stages = [dict(name='classifier', config='classify.py'),\n"
        "          dict(name='labels', config='label.py',\n"
        "               takes={'load_from': 'classifier.checkpoint'}),\n"
        "          dict(name='segmentor', config='segment.py', takes={'labels': 'labels.Y'})]\n"
    )
    run_pipeline(stages_of(folder), folder / 'work')
    run_pipeline(stages_of(folder, **{'classifier.seed': 1}), folder / 'work')
    assert [name for name, _, _ in ran] == ['classifier', 'labels', 'segmentor'] * 2


def test_settings_that_change_no_result_run_nothing_again(folder, ran):
    run_pipeline(stages_of(folder), folder / 'work')
    options = {'classifier.default_hooks': dict(logger=dict(interval=7))}
    run_pipeline(stages_of(folder, **options), folder / 'work')
    assert len(ran) == 2


def test_only_a_stage_started_with_the_same_settings_resumes(folder, ran):
    run_pipeline(stages_of(folder), folder / 'work')
    (folder / 'work' / 'classifier' / 'stage.json').unlink()
    run_pipeline(stages_of(folder), folder / 'work', only=['classifier'], resume=True)
    assert ran[-1][2]['resume'] is True
    (folder / 'work' / 'classifier' / 'last_checkpoint').write_text('iter_1.pth')
    options = {'classifier.train_cfg.max_iters': 7}
    run_pipeline(stages_of(folder, **options), folder / 'work', only=['classifier'], resume=True)
    assert ran[-1][2]['resume'] is False
    assert not (folder / 'work' / 'classifier' / 'last_checkpoint').exists()


def test_selected_stages_take_from_finished_ones(folder, ran):
    run_pipeline(stages_of(folder), folder / 'work', only=['classifier'])
    run_pipeline(stages_of(folder), folder / 'work', only=['segmentor'])
    assert [name for name, _, _ in ran] == ['classifier', 'segmentor']


def test_taking_from_an_unfinished_stage_is_one_clear_error(folder, ran):
    with pytest.raises(UserInputError, match="stage 'classifier' is not finished"):
        run_pipeline(stages_of(folder), folder / 'work', only=['segmentor'])


def test_an_output_that_is_gone_is_one_clear_error(folder, ran):
    run_pipeline(stages_of(folder), folder / 'work')
    (folder / 'work' / 'classifier' / 'last.pth').unlink()
    (folder / 'work' / 'segmentor' / 'stage.json').unlink()
    with pytest.raises(UserInputError, match=r'last\.pth is gone'):
        run_pipeline(stages_of(folder), folder / 'work')


def test_an_output_that_no_stage_gives_is_one_clear_error(folder, ran):
    text = (folder / 'two.py').read_text().replace('classifier.checkpoint', 'classifier.Y_crf')
    (folder / 'two.py').write_text(text)
    with pytest.raises(UserInputError, match=r"gives \['checkpoint'\]"):
        stages_of(folder)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('classify.py', 'absent.py', 'does not exist'),
        ("name='segmentor'", "name='classifier'", "two stages are named 'classifier'"),
        (
            "'classifier.checkpoint'",
            "'labels.checkpoint'",
            r"stages before it are \['classifier'\]",
        ),
    ],
)
def test_a_wrong_pipeline_is_one_clear_error(folder, old, new, message):
    (folder / 'two.py').write_text((folder / 'two.py').read_text().replace(old, new))
    with pytest.raises(UserInputError, match=message):
        stages_of(folder)


def test_an_override_without_a_stage_says_how_to_write_it(folder):
    with pytest.raises(UserInputError, match=r'classifier\.train_cfg\.max_iters='):
        stages_of(folder, **{'train_cfg.max_iters': 1})


def test_other_proportions_in_the_same_file_run_the_stage_again(folder, ran):
    path = folder / 'proportions.npz'
    path.write_text('first')
    dataset = dict(data_root=str(folder), proportion_file=path.name)
    options = {'segmentor.train_dataloader': dict(dataset=dataset)}
    for content, count in (('first', 2), ('first', 2), ('other', 3)):
        path.write_text(content)
        run_pipeline(stages_of(folder, **options), folder / 'work')
        assert len(ran) == count
    assert ran[-1][0] == 'segmentor'


def test_an_unknown_stage_name_is_one_clear_error(folder, ran):
    with pytest.raises(UserInputError, match=r"\['classifier', 'segmentor'\]"):
        run_pipeline(stages_of(folder), folder / 'work', only=['labels'])


def test_a_missing_checkpoint_stops_the_pipeline_before_its_first_stage(folder, ran):
    options = {'segmentor.model': dict(init_cfg=dict(type='Pretrained', checkpoint='no.pth'))}
    with pytest.raises(UserInputError, match=r"stage 'segmentor': model\.init_cfg\.checkpoint"):
        run_pipeline(stages_of(folder, **options), folder / 'work')
    assert ran == []


def test_a_missing_data_root_and_list_are_named(folder, ran):
    dataset = dict(data_root=str(folder / 'nothing'), ann_file='train.txt')
    options = {'classifier.train_dataloader': dict(dataset=dataset)}
    with pytest.raises(UserInputError, match=r'train_dataloader\.dataset\.data_root = .*nothing'):
        run_pipeline(stages_of(folder, **options), folder / 'work')
    dataset['data_root'] = str(folder)
    with pytest.raises(UserInputError, match=r'dataset\.ann_file = .*train\.txt'):
        run_pipeline(stages_of(folder, **options), folder / 'work')


def test_the_report_has_every_miou_and_is_written_as_json(tmp_path, capsys):
    results = {
        'labels': StageResult(metrics={'seed/mIoU': 40.0, 'Y_crf/mIoU': 61.25}, seconds=61),
        'segmentor': StageResult({'checkpoint': 'x.pth'}, {'mIoU': 55.5, 'aAcc': 90.0}, 30),
    }
    write_report(results, tmp_path / 'results.json', title='two')
    printed = capsys.readouterr().out
    assert '61.25' in printed and '55.50' in printed and '1:01' in printed and '1:31' in printed
    content = json.loads((tmp_path / 'results.json').read_text())
    assert content['labels']['metrics']['Y_crf/mIoU'] == 61.25
