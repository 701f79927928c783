"""Predicts many images into a folder, for the command line."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmseg.models import BaseSegmentor

from mmwsss.apis.cam_inferencer import CAMInferencer
from mmwsss.apis.image_inferencer import ImageInferencer
from mmwsss.apis.input_images import InputImage, check_names, input_images
from mmwsss.apis.prediction_config import config_for_prediction
from mmwsss.apis.pseudo_label_inferencer import PseudoLabelInferencer
from mmwsss.apis.segmentor_inferencer import SegmentorInferencer
from mmwsss.engine.console import say
from mmwsss.engine.folder_lock import hold_folder
from mmwsss.engine.labels.files import LabelFile
from mmwsss.engine.progress import Progress
from mmwsss.registry import MODELS, find_class
from mmwsss.structures import UserInputError


def inferencer_of(config: Config, weights: str | None, *, maps: bool, **options: Any) -> Any:
    """Build the inferencer that fits a config.

    Args:
        config: Config of a segmentor, label stage or classifier.
        weights: Checkpoint, unless the config names it.
        maps: Predict the activation maps of a classifier, even if the config makes labels.
        **options: Options of :class:`ImageInferencer`.
    """
    model = config_for_prediction(config).model
    with DefaultScope.overwrite_default_scope('mmwsss'):
        kind = find_class(model, MODELS)
    if kind is not None and issubclass(kind, BaseSegmentor):
        return SegmentorInferencer(config, weights, **options)
    if maps or not (config.get('test_cfg') or {}).get('generator'):
        return CAMInferencer(config, weights, **options)
    return PseudoLabelInferencer(config, weights, **options)


def predict_images(inferencer: ImageInferencer, inputs: Sequence[str], out_dir: str) -> None:
    """Write the predictions of all images that are not done, and report what was skipped.

    Raises:
        UserInputError: If there is no image, or none can be read.
    """
    images = input_images(list(inputs))
    check_names(images)
    inferencer.show_progress = False
    logger = MMLogger.get_current_instance()
    counts = dict.fromkeys(LabelFile, 0)
    unreadable = 0
    with hold_folder(Path(out_dir)), Progress('predictions', len(images), logger) as progress:
        for image in progress.iterate(images):
            is_there = image.path is None or os.access(image.path, os.R_OK)
            state = inferencer.state_of(out_dir, image) if is_there else LabelFile.TO_MAKE
            if state is LabelFile.TO_MAKE and (trouble := _trouble(image)):
                unreadable += 1
                logger.warning(f'Unreadable image {unreadable}, skipped: {trouble}')
                continue
            counts[state] += 1
            if state is LabelFile.TO_MAKE:
                inferencer([image], out_dir=out_dir)
    if unreadable == len(images):
        raise UserInputError(f'No image can be read (images: {len(images)}).')
    folders = ', '.join(f'{out_dir}/{name}' for name in inferencer.names)
    say(
        f'Images predicted: {counts[LabelFile.TO_MAKE]}, already done: {counts[LabelFile.DONE]}, '
        f'manually corrected and kept: {counts[LabelFile.BY_HAND]}, unreadable: {unreadable}. '
        f'Results: {folders}'
    )


def _trouble(image: InputImage) -> UserInputError | None:
    try:
        image.read()
    except UserInputError as error:
        return error
    return None
