"""Puts own data in the place of the data set that a loader names."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from mmcv.transforms import LoadAnnotations

from mmwsss.datasets.description import Split
from mmwsss.engine.config.call_checks import parameters_of
from mmwsss.registry import DATASETS, TRANSFORMS, find_class

# Options of a data set that say how it is used, independent of the data.
_KEPT = (
    'indices',
    'max_refetch',
    'missing_seg_map',
    'pipeline',
    'proportion_file',
    'serialize_data',
    'test_mode',
)


def replace_dataset(
    dataset: dict, data: Mapping, split: Split, *, evaluated: bool = False, measured: bool = False
) -> dict:
    """Return a config that uses own data as a data set was used.

    A wrapper is kept around the own data. Several joined data sets become one.

    Args:
        dataset: The data set's config.
        data: Description of the own data.
        split: ``'train'`` or ``'val'``.
        evaluated: Whether the label maps of the data set are true masks. In training stages they
            are pseudo labels, and their folder is kept.
        measured: Whether all images need a true mask; those without one are left out.
    """
    options: dict[str, Any] = dict(evaluated=evaluated, measured=measured)
    if dataset.get('datasets'):
        return replace_dataset(dataset['datasets'][0], data, split, **options)
    if isinstance(dataset.get('dataset'), dict):
        inner = replace_dataset(dataset['dataset'], data, split, **options)
        return {**dataset, 'dataset': inner}
    others = {'img_path', 'ann_path', *(['seg_map_path'] if evaluated else [])}
    folders = dataset.get('data_prefix') or {}
    own: dict[str, Any] = dict(
        type='CustomWeakDataset',
        data=copy.deepcopy(data),
        split=split,
        supervision=_supervision(dataset),
        data_prefix={key: folder for key, folder in folders.items() if key not in others},
    )
    own.update((key, dataset[key]) for key in _KEPT if key in dataset)
    if evaluated and data.get('masks'):
        own['true_masks'] = True
    if measured or not evaluated:
        # Images without a mask are not measured, and those without a weak label get no pseudo
        # label.
        own['missing_seg_map'] = 'skip'
    return own


def _supervision(dataset: dict) -> str | None:
    """Find which weak label a data set reads; its class may have a default."""
    kind = find_class(dataset, DATASETS)
    known = parameters_of(kind) if kind is not None else {}
    default = known['supervision'].default if 'supervision' in known else None
    return dataset.get('supervision', default)


def dicts_in(node: Any) -> Iterator[dict]:
    """List the dicts at any depth of a part of a config."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from dicts_in(child)


def loads_masks(part: object) -> bool:
    """Tell whether a part of a config is the transform that loads true masks."""
    kind = find_class(part, TRANSFORMS) if isinstance(part, dict) and 'type' in part else None
    return kind is not None and issubclass(kind, LoadAnnotations)


def remove_mask_loading(dataset: dict) -> None:
    """Remove that transform from the pipelines of a data set, in place."""
    for part in dicts_in(dataset):
        if isinstance(part.get('pipeline'), list | tuple):
            part['pipeline'] = [step for step in part['pipeline'] if not loads_masks(step)]
