"""What a config says about predicting new images: model, transforms, classes."""

import copy
import os
from collections.abc import Iterable
from typing import Any

from mmengine.config import Config, ConfigDict

from mmwsss.datasets.palette import class_colors
from mmwsss.engine.config.files import read_config, use_test_time_augmentation
from mmwsss.registry import DATASETS, find_class, type_name
from mmwsss.structures import UserInputError

_LOADERS = ('LoadImage', 'LoadImageFromFile')


def config_for_prediction(model: object, *, tta: bool = False) -> Config:
    """Read or copy the config of a model.

    Args:
        model: Path of a config, or a config.
        tta: Whether to use its ``tta_model`` and ``tta_pipeline``.

    Raises:
        UserInputError: If it is not a config, or has no model. The config text in a checkpoint is
            code, so it is not used.
    """
    if model is None:
        raise UserInputError(
            'Pass the config of the model. The config text in a checkpoint is code and is not run.'
        )
    if isinstance(model, str | os.PathLike):
        config = read_config(model)
    elif isinstance(model, Config):
        config = copy.deepcopy(model)
    else:
        config = Config(copy.deepcopy(dict(model)))  # type: ignore[call-overload]
    if 'stages' in config:
        raise UserInputError(
            f'{config.filename} is a pipeline. Name the config of one of its stages: a run writes '
            'them into its work folder, such as work_dirs/<pipeline>/segmentor.py.'
        )
    if not isinstance(config.get('model'), dict):
        raise UserInputError(f'{config.filename or "the config"} has no `model`.')
    if tta:
        use_test_time_augmentation(config)
    return config


def pipeline_of(config: Config) -> list[dict]:
    """Return the transforms for images to predict, as a stage would run them.

    Raises:
        UserInputError: If there are none, or they do not start by loading an image.
    """
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    pipeline = dataset.get('pipeline') or config.get('test_pipeline')
    if not pipeline or type_name(pipeline[0]) not in _LOADERS:
        raise UserInputError(
            f'{config.filename or "the config"}: test_dataloader.dataset.pipeline must start with '
            'LoadImage.'
        )
    return copy.deepcopy(list(pipeline))


def without(pipeline: Iterable[Any], *names: str) -> list[Any]:
    """Copy a pipeline without some transforms, even if they are inside others."""
    kept: list[Any] = []
    for transform in pipeline:
        if isinstance(transform, list | tuple):
            if branch := without(transform, *names):
                kept.append(branch)
        elif type_name(transform) not in names:
            inner = transform.get('transforms')
            changed = {} if inner is None else {'transforms': without(inner, *names)}
            kept.append({**copy.deepcopy(transform), **changed})
    return kept


def metainfo_of(config: Config, checkpoint: dict | None) -> dict[str, Any]:
    """Find names and colours of the classes, background first.

    The meta of the checkpoint takes precedence over ``metainfo`` of the config, which takes
    precedence over the data set that it names. The data need not exist.

    Raises:
        UserInputError: If the classes are not named anywhere.
    """
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    kind = find_class(dataset, DATASETS)
    sources = [
        ((checkpoint or {}).get('meta') or {}).get('dataset_meta'),
        config.get('metainfo'),
        dataset.get('metainfo'),
        getattr(kind, 'METAINFO', None),
    ]
    for source in sources:
        names = source.get('classes') if isinstance(source, dict | ConfigDict) else None
        if names and all(isinstance(name, str) for name in names):
            palette = source.get('palette') or ()
            fits = len(palette) == len(names)
            return dict(
                classes=tuple(names), palette=list(palette) if fits else class_colors(len(names))
            )
    raise UserInputError(
        f'Neither the checkpoint nor {config.filename or "the config"} names the classes. Set '
        "metainfo=dict(classes=('background', ...)) in the config."
    )
