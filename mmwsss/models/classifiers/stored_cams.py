"""Class activation maps from files: seeds that were made earlier, used without their network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.classifiers.cam_classifier import annotations_to_original
from mmwsss.registry import MODELS
from mmwsss.structures import (
    CAMSource,
    StagePlan,
    UserInputError,
    manifest_stamp,
    read_scores,
    settings_stamp,
)


@MODELS.register_module()
class StoredCAMs(CAMSource):
    """Class activation maps read from ``<folder>/<img_id>.npz``.

    It is a model only in form, so that stored seeds go through the same loop, refiners and
    evaluation as those of a network. The files come from ``keep_scores`` of a
    :class:`~mmwsss.engine.labels.PseudoLabelLoop`, or from any program that writes the same format
    (:mod:`mmwsss.structures.score_files`); their background score is not used. If the manifest of a
    loop lies next to the folder, files of an earlier run with other settings are refused.

    Args:
        folder: Folder of the score files.

    Raises:
        UserInputError: In prediction, if the file of an image is missing or damaged, does not
            belong to the run of the manifest, or does not match the image in size or its label in
            classes.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(dict(type='BaseDataPreprocessor', non_blocking=True))
        self.folder = Path(folder)

    @classmethod
    def check(cls, options: Mapping[str, Any], key: str, stage: StagePlan) -> None:
        """Refuse a stage without the folder of its maps, unless an earlier stage creates it."""
        folder = options.get('folder')
        if f'{key}.folder' not in stage.taken and not (folder and Path(folder).is_dir()):
            raise UserInputError(
                f'{key}.folder = {folder!r} is not a folder. Name a folder of score files, such as '
                f'<label name>_scores of a label stage, with --cfg-options {key}.folder=..., or '
                'let the stage take it from the stage that makes them.'
            )

    @property
    def stamp(self) -> str | None:
        """Fingerprint of the settings that made the folder, if there is a manifest next to it."""
        return manifest_stamp(self.folder)

    def forward(
        self, inputs: Tensor, data_samples: list[SegDataSample], mode: str = 'predict'
    ) -> list[SegDataSample]:
        """Fill each sample with ``cams`` and ``cam_label``; there is nothing to train."""
        if mode != 'predict':
            raise ValueError(f"StoredCAMs has only mode 'predict', got {mode!r}.")
        device = self.data_preprocessor.device
        stamp = self.stamp
        for sample in data_samples:
            annotations_to_original(sample)
            path = self.folder / f'{sample.img_id}.npz'
            scores, classes = read_scores(path)
            _check_stamp(path, stamp)
            _check_fit(path, scores.shape[1:], classes.tolist(), sample)
            cams = torch.from_numpy(scores[1:].astype(np.float32))
            sample.cam_label = torch.from_numpy(classes).to(device, non_blocking=True)
            sample.cams = cams.to(device, non_blocking=True)
        return data_samples


def _check_stamp(path: Path, stamp: str | None) -> None:
    if stamp is not None and settings_stamp(path) != stamp:
        raise UserInputError(
            f'{path} is left over from an earlier run: its settings differ from the manifest.json '
            'next to its folder. Run the stage that makes the scores again over all images; '
            'complete ones are skipped.'
        )


def _check_fit(
    path: Path, size: tuple[int, ...], classes: list[int], sample: SegDataSample
) -> None:
    if size != tuple(sample.ori_shape):
        raise UserInputError(
            f'{path}: the scores are {size[0]}x{size[1]}, but the image {sample.img_path} is '
            f'{sample.ori_shape[0]}x{sample.ori_shape[1]} (height x width). Make the scores again '
            'from the same images.'
        )
    if 'gt_label' not in sample:
        return
    present = sample.gt_label.tolist()
    if set(classes) != set(present):
        raise UserInputError(
            f'{path} has scores of the classes {sorted(classes)}, but the label of the image says '
            f'{sorted(present)} (class indices from 0). Make the scores again with these labels, '
            'or leave out LoadWeakAnnotations to take the classes from the file.'
        )
