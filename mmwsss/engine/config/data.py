"""Runs a stage on the user's own data instead of the data that its config names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsss.datasets.description import DataDescription, Split
from mmwsss.engine.config.files import override, read_config
from mmwsss.engine.config.num_classes import set_num_classes
from mmwsss.engine.config.own_datasets import (
    dicts_in,
    loads_masks,
    remove_mask_loading,
    replace_dataset,
)
from mmwsss.evaluation import SeedIoUWithGroundTruth
from mmwsss.registry import LOOPS, METRICS, find_class
from mmwsss.structures import GivesOutputs, UserInputError


def read_data(path: str | Path) -> dict:
    """Read a description of data, ``data = dict(...)``, from a file.

    Raises:
        UserInputError: If the file is missing, is not a config, or has no such dict.
    """
    if not Path(path).is_file():
        raise UserInputError(f'--data {path} does not exist. Write the file, or correct the path.')
    data = read_config(path).get('data')
    if not isinstance(data, dict):
        raise UserInputError(
            f'{path} must describe the data with `data = dict(root=..., classes=..., labels=...)`, '
            f'but its `data` is {data!r:.80}.'
        )
    return data


def finish_config(config: Config, options: Mapping[str, Any]) -> dict[str, str]:
    """Put own data into the config of a stage, then apply the overrides of the command line.

    Args:
        config: The config, changed in place. Its ``data``, the description of own data, is removed.
        options: Overrides from ``--cfg-options``. Those of ``data`` change the description.

    Returns:
        What cannot be measured and why, see :func:`use_data`.

    Raises:
        UserInputError: If the description or an override is wrong.
    """
    of_data = [key for key in options if key.partition('.')[0] == 'data']
    for key in of_data:
        override(config, key, options[key])
    data = config.pop('data', None)
    unmeasured = {} if data is None else use_data(config, data)
    for key in options:
        if key not in of_data:
            override(config, key, options[key])
    return unmeasured


def use_data(config: Config, data: Mapping) -> dict[str, str]:
    """Make a stage use own data: data sets, number of classes, validation and test.

    Training stages and stages that label images or measure seeds read the images of ``train``. Any
    other validation or test reads those of ``val``. If there is no ``val``, or required true masks
    are missing, the validation is removed and the test measures nothing.

    Args:
        config: Config of the stage, changed in place.
        data: Description of the data, see :class:`~mmwsss.datasets.description.DataDescription`.

    Returns:
        What the data lack, under ``'val'`` for the validation and ``'test'`` for the test.

    Raises:
        UserInputError: If the description is wrong, or the stage needs boxes but there are none.
    """
    description = DataDescription.from_dict(data)
    set_num_classes(config._cfg_dict, len(description.classes))
    unmeasured = {}
    if loader := config.get('train_dataloader'):
        loader.dataset = replace_dataset(loader.dataset, data, 'train')
    if config.get('val_dataloader') and (lack := _use_for_validation(config, data, description)):
        unmeasured['val'] = lack
    if config.get('test_dataloader') and (lack := _use_for_test(config, data, description)):
        unmeasured['test'] = lack
    _check_boxes(config, description)
    return unmeasured


def _use_for_validation(config: Config, data: Mapping, description: DataDescription) -> str:
    """Validate on own data or, if they lack something, not at all; name what they lack."""
    loader = config.val_dataloader
    needs_masks = _any_loads_masks(loader)
    lack = _lack(description, 'val', needs_masks=needs_masks)
    if lack:
        config.val_dataloader = config.val_cfg = config.val_evaluator = None
    else:
        loader.dataset = replace_dataset(
            loader.dataset, data, 'val', evaluated=True, measured=needs_masks
        )
    return lack


def _use_for_test(config: Config, data: Mapping, description: DataDescription) -> str:
    """Test on own data or, if they lack something, only read them; name what they lack."""
    loader, labels_images = config.test_dataloader, _labels_images(config)
    split: Split = 'train' if labels_images or _measures_seeds(config) else 'val'
    views = () if labels_images else config.get('tta_pipeline')
    needs_masks = _any_loads_masks([loader, views])
    lack = _lack(description, split, needs_masks=needs_masks)
    if lack:
        # The rest tells how images are read, for pictures and inference.
        remove_mask_loading(loader)
        config.test_evaluator = []
    loader.dataset = replace_dataset(
        loader.dataset,
        data,
        split if description.val else 'train',
        evaluated=True,
        measured=needs_masks and not lack,
    )
    return lack


def _labels_images(config: Config) -> bool:
    """Tell whether the test makes files from which later stages learn."""
    loop = find_class(config.get('test_cfg') or {}, LOOPS)
    return loop is not None and issubclass(loop, GivesOutputs)


def _measures_seeds(config: Config) -> bool:
    evaluator = config.get('test_evaluator') or ()
    metrics = [evaluator] if isinstance(evaluator, dict) else evaluator
    kinds = [find_class(metric, METRICS) for metric in metrics]
    return any(kind is not None and issubclass(kind, SeedIoUWithGroundTruth) for kind in kinds)


def _any_loads_masks(node: object) -> bool:
    return any(map(loads_masks, dicts_in(node)))


def _lack(description: DataDescription, split: Split, *, needs_masks: bool) -> str:
    """Name what the data lack for measuring something on a split."""
    if split == 'val' and description.val is None:
        return '`val`'
    if not needs_masks:
        return ''
    if description.masks is None:
        return '`masks`'
    has_mask = any(description.true_mask(img_id) for img_id in description.split(split))
    return '' if has_mask else f'mask of an image of `{split}`'


def _check_boxes(config: Config, description: DataDescription) -> None:
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    for loader in loaders:
        needs = any(part.get('supervision') == 'box' for part in dicts_in(config.get(loader)))
        if needs and not description.labels().has_boxes:
            raise UserInputError(
                f'{config.filename}: {loader} needs boxes, but the labels of the data are tags '
                f'({description.label_path}). Provide boxes, or run a pipeline that learns from '
                'tags.'
            )
