"""In every shipped pipeline, the checkpoint that a stage takes fits its model."""

import pytest
import torch
from mmengine.config import Config

from mmwsss.engine.pipeline.stages import load_stages
from mmwsss.models.checkpoint_fit import compare
from mmwsss.registry import MODELS


def tensors(stage):
    """Names and shapes of a stage's model, without memory for its weights."""
    with torch.device('meta'):
        state = MODELS.build(stage.config.model).state_dict()
    return {name: torch.empty(value.shape, dtype=value.dtype) for name, value in state.items()}


@pytest.mark.parametrize(
    ('pipeline', 'new'),
    [
        ('demo/bana_shapes', {}),
        ('mixed/bana-walk_shapes', {}),
        ('mixed/sbce-walk_shapes', {'round1': 4}),
        pytest.param('aeft_mobilenet-v2_voc', {}, marks=pytest.mark.slow),
        ('rca_mobilenet-v2_voc', {}),
        ('sbce_mobilenet-v2_voc', {'round1': 2}),
        ('sbce-walk_mobilenet-v2_voc', {'round1': 2}),
        pytest.param('aeft_voc', {}, marks=pytest.mark.slow),
        pytest.param('sbce_voc', {}, marks=pytest.mark.slow),
        pytest.param('sbce-walk_voc', {}, marks=pytest.mark.slow),
    ],
)
def test_what_a_stage_takes_fits_but_for_the_new_parts_that_it_names(pipeline, new):
    stages = load_stages(Config.fromfile(f'configs/{pipeline}.py'), {})
    models = {stage.name: stage for stage in stages}
    found = {}
    for stage in stages:
        source = stage.takes.get('load_from')
        if source is None:
            continue
        fit = compare(tensors(models[source.split('.')[0]]), tensors(stage))
        unfit = [*fit.missing, *fit.different]
        allowed = tuple(stage.config.get('load_new', ())) if stage.task == 'train' else ()
        assert [name for name in unfit if not name.startswith(allowed)] == []
        if unfit:
            found[stage.name] = len(unfit)
    assert found == new
