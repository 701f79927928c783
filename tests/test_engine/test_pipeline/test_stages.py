import pytest
from mmengine.config import Config

from mmwsss.engine.pipeline.stages import load_stages
from mmwsss.structures import UserInputError


@pytest.fixture
def folder(tmp_path):
    """Two stage configs, a pipeline of both, and the folder of results."""
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


def stages_of(folder, **options):
    return load_stages(Config.fromfile(folder / 'two.py'), options)


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


def test_an_output_that_no_stage_gives_is_one_clear_error(folder):
    text = (folder / 'two.py').read_text().replace('classifier.checkpoint', 'classifier.Y_crf')
    (folder / 'two.py').write_text(text)
    with pytest.raises(UserInputError, match=r"gives \['checkpoint'\]"):
        stages_of(folder)


def write_options(folder, options):
    text = (folder / 'two.py').read_text()
    (folder / 'two.py').write_text(
        text.replace("'classify.py'", f"'classify.py', options={options}")
    )


def test_a_pipeline_sets_options_of_a_stage(folder):
    write_options(folder, {'train_cfg.max_iters': 5, 'model': {'type': 'A'}})
    classifier, segmentor = stages_of(folder)
    assert classifier.config.train_cfg.max_iters == 5
    assert classifier.config.model == {'type': 'A'}
    assert segmentor.config.train_cfg.max_iters == 2


def test_the_command_line_has_the_last_word(folder):
    write_options(folder, {'train_cfg.max_iters': 5})
    classifier, _ = stages_of(folder, **{'classifier.train_cfg.max_iters': 7})
    assert classifier.config.train_cfg.max_iters == 7


def test_a_mistyped_option_of_a_stage_names_the_pipeline(folder):
    write_options(folder, {'trian_cfg.max_iters': 5})
    with pytest.raises(UserInputError, match=r'two\.py: stages\.classifier\.options trian_cfg'):
        stages_of(folder)


def test_an_override_without_a_stage_says_how_to_write_it(folder):
    with pytest.raises(UserInputError, match=r'classifier\.train_cfg\.max_iters='):
        stages_of(folder, **{'train_cfg.max_iters': 1})
