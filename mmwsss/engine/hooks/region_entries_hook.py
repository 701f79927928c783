"""Gives every image its own slots in the memories of regions."""

from collections import defaultdict
from collections.abc import Iterable

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmwsss.engine.hooks.training_parts import labeled_images, memories_of
from mmwsss.registry import HOOKS
from mmwsss.structures import UserInputError


@HOOKS.register_module()
class RegionEntriesHook(Hook):
    """Tell memories with ``entry='image'`` which slots belong to which image of the data set.

    It reads the weak labels of ``train_dataloader.dataset`` before training. The slots depend only
    on the labels, so they are the same in a resumed run and in all processes.

    Raises:
        UserInputError: No objective has such a memory, an image of the data set has no name or weak
            label, or a class occurs in more images than the memory has slots.
    """

    def before_train(self, runner: Runner) -> None:
        """Build the table and pass it to the memories."""
        memories = [memory for memory in memories_of(runner) if memory.entry == 'image']
        if not memories:
            raise UserInputError(
                "RegionEntriesHook: no objective of the model has a memory with entry='image'. "
                "Remove the hook from `custom_hooks`, or set memory=dict(entry='image', ...)."
            )
        images = labeled_images(runner.train_dataloader.dataset, 'RegionEntriesHook')
        entries = region_entries((image.img_id, image.classes) for image in images)
        for memory in memories:
            memory.set_entries(entries)


def region_entries(labels: Iterable[tuple[str, Iterable[int]]]) -> dict[str, dict[int, int]]:
    """Number the images of each class.

    Args:
        labels: Name and present classes of every image. A repeated image has the classes of all its
            occurrences.

    Returns:
        Slot of each class of each image, ``{img_id: {class: slot}}``. It is the image's rank,
        counted from 0, among the images of the class in order of first occurrence.
    """
    entries: dict[str, dict[int, int]] = {}
    used: dict[int, int] = defaultdict(int)
    for img_id, classes in labels:
        own = entries.setdefault(img_id, {})
        for label in sorted(set(classes) - own.keys()):
            own[label] = used[label]
            used[label] += 1
    return entries
