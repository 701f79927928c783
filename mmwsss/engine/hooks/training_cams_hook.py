"""Saves the class activation maps that a classifier had while it was trained."""

import math
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, barrier, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmwsss.datasets.image_files import read_image_size
from mmwsss.engine.folder_lock import hold_folder
from mmwsss.engine.hooks.training_parts import LabeledImage, labeled_images, objectives_of
from mmwsss.engine.labels.pool import RefinePool
from mmwsss.engine.progress import Progress
from mmwsss.engine.state.fingerprints import fingerprint
from mmwsss.models.objectives import TrainingCAMs
from mmwsss.registry import HOOKS
from mmwsss.structures import GivesOutputs, UserInputError, write_scores

_KEY = 'training_cams'


@HOOKS.register_module()
class TrainingCAMsHook(Hook, GivesOutputs):
    """Save what :class:`TrainingCAMs` keeps as score files, for :class:`StoredCAMs`.

    It tells the objective the images of ``train_dataloader.dataset``, merges the maps of all
    processes by their maximum after every epoch, tells when the last epoch begins (the last
    iterations in which as many images are seen as there are) and writes
    ``<work_dir>/training_cams/<img_id>.npz`` in the end: maps at the size of the image, with a
    maximum of 1 before they are enlarged, and ``1 - max`` as background. A class that never got a
    map has an empty one; such images are counted in a warning. Checkpoints carry the maps, so that
    a run can be resumed; on several processes without what the others saw since the last epoch.

    Args:
        num_workers: Processes of every rank that enlarge and write; 0 does it in this process.

    Raises:
        UserInputError: Before the training, if the model has no such objective, the data set does
            not tell its labels, or the run is resumed from one with other images or labels.
    """

    _folder: Path  # known once the training has begun

    def __init__(self, *, num_workers: int = 2) -> None:
        self.num_workers = num_workers
        self._images: list[LabeledImage] = []
        self._saved_state: dict[str, Any] | None = None
        self._epoch = 0  # iterations in which all processes see as many images as there are

    @classmethod
    def output_names(cls, options: Mapping[str, Any]) -> set[str]:
        """Name the folder of the files."""
        return {'training_cams'}

    @property
    def outputs(self) -> dict[str, str]:
        """Folder of the files, once the training has begun."""
        return {'training_cams': str(self._folder)}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the maps of the checkpoint, in case that the run is resumed from it."""
        self._saved_state = checkpoint.get(_KEY)

    def before_train(self, runner: Runner) -> None:
        """Announce the images to the objective; give it the maps of a run that goes on."""
        objective = _objective(runner)
        self._folder = Path(runner.work_dir, 'training_cams').absolute()
        loader = runner.train_dataloader
        images_a_step = loader.batch_sampler.batch_size * get_world_size()
        self._images = labeled_images(loader.dataset, 'TrainingCAMsHook')
        self._epoch = math.ceil(len(self._images) / images_a_step)
        objective.set_entries(number_entries(self._images))
        state = self._saved_state
        if runner.iter > 0 and state is not None:
            if state['images'] != _signature(self._images):
                raise UserInputError(
                    'TrainingCAMsHook: the checkpoint to resume from holds maps of other images or '
                    'labels than train_dataloader.dataset. Train on the same, or start anew.'
                )
            objective.maps, objective.stored = state['maps'], state['stored']

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Merge the maps of all processes where an epoch, counted from the end, begins."""
        objective = _objective(runner)
        remaining = runner.max_iters - runner.iter
        # The rule of the last epoch asks what other processes have, hence before it.
        if remaining % self._epoch == 0:
            merge_processes(objective)
        objective.last_epoch = remaining <= self._epoch

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the maps to the checkpoint."""
        objective = _objective(runner)
        if objective.maps is not None:
            checkpoint[_KEY] = dict(
                images=_signature(self._images),
                maps=objective.maps.cpu(),
                stored=objective.stored.cpu(),
            )

    def after_train(self, runner: Runner) -> None:
        """Write the files; the processes share them."""
        objective = _objective(runner)
        merge_processes(objective)
        if objective.maps is None:
            runner.logger.warning('TrainingCAMsHook: no maps were kept, nothing is written.')
            return
        maps, stored = objective.maps.cpu(), objective.stored.cpu().tolist()
        empty = sum(
            not all(stored[entry] for entry in classes.values())
            for classes in objective.entries.values()
        )
        if empty:
            runner.logger.warning(f'{empty} images have a class without a map')
        stamp = fingerprint(runner.cfg.to_dict())
        folder = self._folder
        jobs = []
        for image in self._images[get_rank() :: get_world_size()]:
            rows = [objective.entries[image.img_id][label] for label in image.classes]
            path = folder / f'{image.img_id}.npz'
            jobs.append(partial(write_maps, path, maps[rows].numpy(), image, stamp))
        subfolders = {(folder / image.img_id).parent for image in self._images}
        with (
            hold_folder(folder, subfolders=subfolders),
            RefinePool(self.num_workers) as pool,
            Progress('training CAMs', len(jobs), runner.logger) as progress,
        ):
            for future in progress.iterate([pool.submit(job) for job in jobs]):
                future.result()
            barrier()


def number_entries(images: Iterable[LabeledImage]) -> dict[str, dict[int, int]]:
    """Number all pairs of image and class, ``{img_id: {class: entry}}``."""
    entries: dict[str, dict[int, int]] = {}
    count = 0
    for image in images:
        entries[image.img_id] = {label: count + i for i, label in enumerate(image.classes)}
        count += len(image.classes)
    return entries


def merge_processes(objective: TrainingCAMs) -> None:
    """Give all processes the maximum of their maps, in place."""
    if objective.maps is not None and get_world_size() > 1:
        all_reduce(objective.maps, op='max')
        all_reduce(objective.stored, op='max')


def write_maps(path: Path, maps: np.ndarray, image: LabeledImage, stamp: str) -> None:
    """Write the maps of an image as a score file, at the size of the image.

    Args:
        path: The npz file.
        maps: uint8 (n, h, w).
        image: The image; its size is read from its file.
        stamp: Fingerprint of the settings that made the maps.
    """
    height, width = read_image_size(image.img_path)
    # Maps as a batch: there may be none, but PyTorch refuses to resize no channels.
    cams = torch.from_numpy(maps)[:, None].float() / 255
    cams = F.interpolate(cams, (height, width), mode='bilinear', align_corners=False)[:, 0]
    largest = cams.amax(dim=0, keepdim=True) if len(cams) else torch.zeros(1, height, width)
    write_scores(path, torch.cat([1 - largest, cams]).numpy(), np.array(image.classes), stamp)


def _objective(runner: Runner) -> TrainingCAMs:
    found = [one for one in objectives_of(runner) if isinstance(one, TrainingCAMs)]
    if len(found) != 1:
        raise UserInputError(
            f'TrainingCAMsHook: the model has {len(found) or "no"} objective TrainingCAMs, '
            'expected one. Remove the hook from `custom_hooks`, or have one '
            "dict(type='TrainingCAMs', num_classes=...) in `model.objectives`."
        )
    return found[0]


def _signature(images: list[LabeledImage]) -> str:
    return fingerprint([[image.img_id, image.classes] for image in images])
