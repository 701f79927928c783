"""Gives every image its own slots in the memories of regions."""

from collections import defaultdict
from collections.abc import Iterable, Sized
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmwsss.engine.hooks.start_objective_hook import objectives_of
from mmwsss.registry import HOOKS
from mmwsss.structures import UserInputError


@HOOKS.register_module()
class RegionEntriesHook(Hook):
    """Tell memories with ``entry='image'`` which slots belong to which image of the data set.

    It reads the weak labels of ``train_dataloader.dataset`` before the training: ``gt_label``
    (tags) or ``instances`` with ``bbox_label`` (boxes) of ``get_data_info(i)``, through wrappers
    like ``RepeatDataset`` and ``ConcatDataset``. The slots follow from the labels alone, so that a
    resumed run and all processes have the same.

    Raises:
        UserInputError: No objective has such a memory, an image of the data set has no name or no
            weak label, or a class is in more images than the memory has slots.
    """

    def before_train(self, runner: Runner) -> None:
        """Build the table and hand it to the memories."""
        memories: list[Any] = [
            objective.memory
            for objective in objectives_of(runner)
            if getattr(getattr(objective, 'memory', None), 'entry', None) == 'image'
        ]
        if not memories:
            raise UserInputError(
                "RegionEntriesHook: no objective of the model has a memory with entry='image'. "
                "Remove the hook from `custom_hooks`, or set memory=dict(entry='image', ...)."
            )
        entries = region_entries(labels_of(runner.train_dataloader.dataset))
        for memory in memories:
            memory.set_entries(entries)


def region_entries(labels: Iterable[tuple[str, Iterable[int]]]) -> dict[str, dict[int, int]]:
    """Number the images of each class.

    Args:
        labels: Name and present classes of every image. An image that occurs again has the classes
            of all its occurrences.

    Returns:
        Slot of each class of each image, ``{img_id: {class: slot}}``: its rank, counted from 0,
        among the images of the class in the order of their first occurrence.
    """
    entries: dict[str, dict[int, int]] = {}
    used: dict[int, int] = defaultdict(int)
    for img_id, classes in labels:
        own = entries.setdefault(img_id, {})
        for label in sorted(set(classes) - own.keys()):
            own[label] = used[label]
            used[label] += 1
    return entries


def labels_of(dataset: Sized) -> list[tuple[str, list[int]]]:
    """Name and present classes of every image of a data set, see :class:`RegionEntriesHook`."""
    if not hasattr(dataset, 'get_data_info'):
        raise UserInputError(
            f'RegionEntriesHook: {type(dataset).__name__} has no `get_data_info` that tells the '
            "labels. Train on a data set of mmengine's kind, or set `entry` of the memory to "
            "'ring'."
        )
    return [_label_of(dataset.get_data_info(i), i) for i in range(len(dataset))]


def _label_of(info: dict[str, Any], index: int) -> tuple[str, list[int]]:
    if 'img_id' not in info:
        raise UserInputError(
            f'RegionEntriesHook: image {index} of the data set, {info.get("img_path")!r}, has no '
            "`img_id`. Add it to the data list, or set `entry` of the memory to 'ring'."
        )
    if 'gt_label' in info:
        return info['img_id'], [int(label) for label in info['gt_label']]
    if 'instances' in info:
        return info['img_id'], [int(instance['bbox_label']) for instance in info['instances']]
    raise UserInputError(
        f'RegionEntriesHook: image {info["img_id"]!r} has neither tags nor boxes. Give the data '
        "set supervision='tag' or 'box', or set `entry` of the memory to 'ring'."
    )
