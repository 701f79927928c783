"""A runner starts for every config and every stage of every pipeline, as in a real run."""

from functools import cache
from pathlib import Path

import mmengine.runner.runner
import pytest
import torch
from mmengine.config import Config

import mmwsss.engine.pipeline.runner
from mmwsss.engine.config.files import read_config
from mmwsss.engine.pipeline.entries import stage_entries
from mmwsss.engine.pipeline.runner import StageRunner
from mmwsss.engine.pipeline.stage import build_runner
from mmwsss.registry import TASK_UTILS

ROOT = Path(__file__).parents[2] / 'configs'
# docs/add_a_method.md asks its readers to write `my_first.py`.
FILES = sorted(
    path for path in ROOT.rglob('*.py') if '_base_' not in path.parts and path.name != 'my_first.py'
)
PIPELINES = [path for path in FILES if 'stages = ' in path.read_text()]
LEAVES = [path for path in FILES if path not in PIPELINES]
GIVEN = '/made-by-an-earlier-stage'


@cache
def uses_in_pipelines():
    """Task, test-time augmentation and changes of every stage, by its config file."""
    uses = {path: [] for path in LEAVES}
    for path in PIPELINES:
        for entry in stage_entries(Config.fromfile(path)):
            changes = {**entry.options, **dict.fromkeys(entry.takes, GIVEN)}
            uses[entry.config.resolve()].append((entry.task, entry.tta, changes))
    return uses


def uses_alone(config):
    """The same for a config on the command line: every task it can run."""
    if config.get('train_cfg'):
        yield 'train', False, {}
    if config.get('test_cfg'):
        yield 'test', False, {}
        if 'tta_model' in config:
            yield 'test', True, {}


@pytest.fixture
def without_weights(monkeypatch):
    """Models take no memory, and the log contains neither the config nor a machine report."""
    build_model = StageRunner.build_model

    def build(self, model):
        with torch.device('meta'):
            return build_model(self, model)

    monkeypatch.setattr(StageRunner, 'build_model', build)
    for module in (mmengine.runner.runner, mmwsss.engine.pipeline.runner):
        monkeypatch.setattr(module, 'get_device', lambda: 'meta')
    monkeypatch.setattr(mmengine.runner.runner, 'collect_env', dict)
    monkeypatch.setattr(Config, 'pretty_text', '')


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_every_stage_gets_a_runner_and_a_label_generator(path, tmp_path, without_weights):
    config = read_config(path)
    uses = [*uses_in_pipelines()[path], *uses_alone(config)]
    assert uses
    different = [use for i, use in enumerate(uses) if use not in uses[:i]]
    for i, (task, tta, changes) in enumerate(different):
        stage = config.copy()
        stage.merge_from_dict(changes)
        task = task or ('train' if config.get('train_cfg') else 'test')
        runner = build_runner(stage, tmp_path / f'{path.stem}-{i}', task=task, tta=tta)
        assert isinstance(runner, StageRunner)
    if 'generator' in (config.get('test_cfg') or {}):
        pytest.importorskip('pydensecrf')
        assert TASK_UTILS.build(config.test_cfg.generator).names
