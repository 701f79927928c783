"""Small configs beside the results of a pipeline, with which it predicts new images."""

import copy
from pathlib import Path
from pprint import pformat
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmwsss.engine.config.files import use_test_time_augmentation
from mmwsss.engine.console import say
from mmwsss.engine.labels.checks import score_strides
from mmwsss.engine.pipeline.run import with_taken_paths
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.state.stage_state import StageResult
from mmwsss.registry import DATASETS, type_name
from mmwsss.structures import UserInputError
from mmwsss.structures.atomic_files import write_atomically

_HEADER = """# Written by tools/train.py: predicts new images with what the pipeline trained.
# python tools/predict.py <this file> photos/ --out-dir predictions
"""
_INITIAL = ('init_cfg', 'pretrained')
_SCORES = '_scores'


def write_prediction_configs(
    stages: list[Stage], results: dict[str, StageResult], folder: Path
) -> list[Path]:
    """Write ``<stage>.py`` for every segmentor and for the last stage that makes labels.

    They hold what a prediction needs: model, transforms (``test_pipeline`` of a segmentor), classes
    and checkpoints, relative to the folder. That of the labels joins classifier, generator and,
    where a stage starts from the kept scores of an earlier one, the generators of both.

    Args:
        stages: The stages of a pipeline.
        results: Results of the finished ones by name.
        folder: Work folder of the pipeline.
    """
    finished = [stage for stage in stages if stage.name in results]
    making = [stage for stage in finished if stage.makes_labels][-1:]
    written = []
    for stage in finished:
        try:
            if stage in making:
                content = _of_labels(stage, {s.name: s for s in finished}, results)
            elif stage.task == 'train' and 'test_pipeline' in stage.config:
                content = _of_segmentor(stage, results)
            else:
                continue
        except UserInputError as error:  # the results stand without it
            say(f"no config to predict with stage '{stage.name}': {error}")
            continue
        path = folder / f'{stage.name}.py'
        write_atomically(path, _text(content, path).encode())
        say(f'to predict new images: python tools/predict.py {path} IMAGES')
        written.append(path)
    return written


def _of_segmentor(stage: Stage, results: dict[str, StageResult]) -> dict[str, Any]:
    config = stage.config
    keys = ('visualizer', 'test_pipeline', 'tta_model', 'tta_pipeline')
    return dict(
        **_common(config),
        model=config.model,
        load_from=results[stage.name].outputs['checkpoint'],
        **{key: config[key] for key in keys if key in config},
        # Where mmseg's inferencer looks for the transforms.
        test_dataloader=dict(dataset=dict(pipeline=config.test_pipeline)),
    )


def _of_labels(
    stage: Stage, stages: dict[str, Stage], results: dict[str, StageResult]
) -> dict[str, Any]:
    """Follow a label stage back to the model of its maps."""
    steps: list[dict] = []
    label = None
    while True:
        config = copy.deepcopy(with_taken_paths(stage, results).config)
        generator = _only(config.test_cfg.generator, label)
        if type_name(config.model) != 'StoredCAMs':
            break
        name, _, output = stage.takes.get('model.folder', '').partition('.')
        label = output.removesuffix(_SCORES)
        if name not in stages or label not in _labels_of(stages[name]):
            raise UserInputError(
                'its maps are files of these images, which new ones do not have. A segmentor can '
                'predict them.'
            )
        stage = stages[name]
        stride = score_strides(stage.config.test_cfg.get('keep_scores', ()))[label]
        steps.insert(0, dict(scores=label, stride=stride, generator=generator))
    if stage.tta:
        use_test_time_augmentation(config)
    return dict(
        **_common(config),
        model=config.model,
        load_from=config.get('load_from'),
        test_dataloader=dict(dataset=dict(pipeline=config.test_dataloader.dataset.pipeline)),
        test_cfg=dict(type='PseudoLabelLoop', generator=generator),
        **(dict(label_steps=steps) if steps else {}),
    )


def _labels_of(stage: Stage) -> set[str]:
    return set(stage.config.test_cfg.generator.labels) if stage.makes_labels else set()


def _only(generator: dict, label: str | None) -> dict:
    """Leave out the labels from which a label does not start; with None, keep all."""
    if label is None:
        return generator
    needed, name = [], label
    while name is not None:
        needed.append(name)
        name = generator['labels'][name].get('start')
    labels = {key: value for key, value in generator['labels'].items() if key in needed}
    return {**generator, 'labels': labels}


def _common(config: Config) -> dict[str, Any]:
    # Own data without true masks leave a segmentor without a test.
    loader = config.get('test_dataloader') or config.train_dataloader
    with DefaultScope.overwrite_default_scope('mmwsss'):
        dataset = DATASETS.build({**loader.dataset, 'lazy_init': True})
    metainfo = {key: dataset.metainfo[key] for key in ('classes', 'palette')}
    return dict(default_scope='mmwsss', metainfo=metainfo)


def _text(content: dict[str, Any], path: Path) -> str:
    """Write a config whose paths are relative to its folder, so that it can be moved with that."""
    # In their own order: mmengine's text of a config sorts its keys, but labels start from others.
    plain = _without_initial_weights(content).items()
    text = ''.join(f'{k} = {pformat(v, width=100, sort_dicts=False)}\n' for k, v in plain)
    folder = str(path.parent.absolute())
    return _HEADER + text.replace(f"'{folder}/", "'{{ fileDirname }}/")


def _without_initial_weights(node: Any) -> Any:
    """Leave out where weights came from before the training, and make dicts plain."""
    if isinstance(node, dict):
        return {k: _without_initial_weights(v) for k, v in node.items() if k not in _INITIAL}
    if isinstance(node, list | tuple):
        return type(node)(_without_initial_weights(child) for child in node)
    return node
