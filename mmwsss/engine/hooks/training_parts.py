"""What hooks look up in training: objectives of the model, images of the data set."""

from collections.abc import Sized
from typing import Any, NamedTuple

from mmengine.runner import Runner

from mmwsss.models.checkpoint_fit import base_model
from mmwsss.models.regions import RegionMemory
from mmwsss.structures import Objective, UserInputError


class LabeledImage(NamedTuple):
    """An image of a data set: its id, its file and its present classes, ascending."""

    img_id: str
    img_path: str
    classes: tuple[int, ...]


def objectives_of(runner: Runner) -> list[Objective]:
    """Objectives of the model in training, even inside a distributed wrapper."""
    return list(getattr(base_model(runner.model), 'objectives', []))


def memories_of(runner: Runner) -> list[RegionMemory]:
    """Memories of regions in the objectives of the model in training."""
    modules = (module for objective in objectives_of(runner) for module in objective.modules())
    return [module for module in modules if isinstance(module, RegionMemory)]


def labeled_images(dataset: Sized, hook: str) -> list[LabeledImage]:
    """List the images of a data set once each, with the classes of their tags or boxes.

    Wrappers such as ``RepeatDataset`` and ``ConcatDataset`` are read through ``get_data_info``. A
    repeated image has the classes of all its occurrences.

    Args:
        dataset: The data set.
        hook: Name of the hook that asks, for the message.

    Raises:
        UserInputError: If the data set does not provide ids and labels.
    """
    if not hasattr(dataset, 'get_data_info'):
        raise UserInputError(
            f'{hook}: {type(dataset).__name__} has no `get_data_info`, which provides the labels. '
            "Train on a data set derived from mmengine's BaseDataset, or remove the hook from "
            '`custom_hooks`.'
        )
    images: dict[str, LabeledImage] = {}
    for index in range(len(dataset)):
        image = _labeled_image(dataset.get_data_info(index), hook)
        if image.img_id in images:
            classes = {*images[image.img_id].classes, *image.classes}
            image = image._replace(classes=tuple(sorted(classes)))
        images[image.img_id] = image
    return list(images.values())


def _labeled_image(info: dict[str, Any], hook: str) -> LabeledImage:
    path = info.get('img_path', '')
    if 'img_id' not in info:
        raise UserInputError(
            f'{hook}: image {path!r} of the data set has no `img_id`. Add it to the data list.'
        )
    labels = info.get('gt_label')
    if labels is None and 'instances' in info:
        labels = [instance['bbox_label'] for instance in info['instances']]
    if labels is None:
        raise UserInputError(
            f'{hook}: image {info["img_id"]!r} has neither tags nor boxes. Give the data set '
            "supervision='tag' or 'box'."
        )
    return LabeledImage(info['img_id'], path, tuple(sorted({int(label) for label in labels})))
