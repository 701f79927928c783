"""Saves the class activation maps that a classifier produced during training."""

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

    It announces the images of ``train_dataloader.dataset`` to the objective, merges the maps of all
    processes by their maximum after every epoch, and announces the last epoch (the final iterations
    that see as many images as there are). At the end it writes
    ``<work_dir>/training_cams/<img_id>.npz``: maps at the size of the image, with a maximum of 1
    before enlargement, and ``1 - max`` as background. A class that never got a map has an empty
    one, and a warning counts such images. Checkpoints include the maps, so that a run can be
    resumed; with several processes, they lack what other processes saw since the last epoch.

    Args:
        num_workers: Processes per rank for enlarging and writing; 0 does both in this process.

    Raises:
        UserInputError: Before training, if the model has no such objective, the data set does not
            provide its labels, or the resumed run had other images or labels.
    """

    _folder: Path  # known once training has begun

    def __init__(self, *, num_workers: int = 2) -> None:
        self.num_workers = num_workers
        self._images: list[LabeledImage] = []
        self._saved_state: dict[str, Any] | None = None
        self._epoch = 0  # iterations in which all processes see as many images as exist

    @classmethod
    def output_names(cls, options: Mapping[str, Any]) -> set[str]:
        """Name the folder of the files."""
        return {'training_cams'}

    @property
    def outputs(self) -> dict[str, str]:
        """Folder of the files, once training has begun."""
        return {'training_cams': str(self._folder)}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the maps of the checkpoint in case the run is resumed from it."""
        self._saved_state = checkpoint.get(_KEY)

    def before_train(self, runner: Runner) -> None:
        """Announce the images to the objective, and give it the maps of a resumed run."""
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
                    'TrainingCAMsHook: the checkpoint to resume from holds maps of other images '
                    'or labels than train_dataloader.dataset. Train on the same data, or start '
                    'anew.'
                )
            objective.maps, objective.stored = state['maps'], state['stored']

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Merge the maps of all processes at the start of an epoch, counted from the end."""
        objective = _objective(runner)
        remaining = runner.max_iters - runner.iter
        # The rule for the last epoch depends on the maps of other processes, so merge before it.
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
        """Write the files, shared among the processes."""
        objective = _objective(runner)
        merge_processes(objective)
        if objective.maps is None:
            runner.logger.warning('TrainingCAMsHook: no maps were kept, so nothing is written.')
            return
        maps, stored = objective.maps.cpu(), objective.stored.cpu().tolist()
        empty = sum(
            not all(stored[entry] for entry in classes.values())
            for classes in objective.entries.values()
        )
        if empty:
            runner.logger.warning(f'images with a class that never got a map: {empty}')
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
    """Number all pairs of image and class as ``{img_id: {class: entry}}``."""
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
        image: The image, whose size is read from its file.
        stamp: Fingerprint of the settings that made the maps.
    """
    height, width = read_image_size(image.img_path)
    # Resized as a batch, because there may be no maps and PyTorch refuses to resize 0 channels.
    cams = torch.from_numpy(maps)[:, None].float() / 255
    cams = F.interpolate(cams, (height, width), mode='bilinear', align_corners=False)[:, 0]
    largest = cams.amax(dim=0, keepdim=True) if len(cams) else torch.zeros(1, height, width)
    write_scores(path, torch.cat([1 - largest, cams]).numpy(), np.array(image.classes), stamp)


def _objective(runner: Runner) -> TrainingCAMs:
    found = [one for one in objectives_of(runner) if isinstance(one, TrainingCAMs)]
    if len(found) != 1:
        raise UserInputError(
            'TrainingCAMsHook: expected one objective TrainingCAMs in the model, found '
            f'{len(found)}. Remove the hook from `custom_hooks`, or have one '
            "dict(type='TrainingCAMs', num_classes=...) in `model.objectives`."
        )
    return found[0]


def _signature(images: list[LabeledImage]) -> str:
    return fingerprint([[image.img_id, image.classes] for image in images])
