"""Pictures of what a pipeline made, for people who would rather look than read."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample

from mmwsss.datasets.image_files import read_image, read_label_map
from mmwsss.datasets.true_masks import read_true_mask
from mmwsss.engine.console import say
from mmwsss.engine.pipeline.stages import Stage
from mmwsss.engine.state.stage_state import StageResult
from mmwsss.models.checkpoint_fit import load_fitting, read_checkpoint
from mmwsss.registry import DATASETS, MODELS
from mmwsss.structures import UserInputError, to_seg_label
from mmwsss.visualization import (
    Caption,
    caption_of,
    contact_sheet,
    draw_boxes,
    flat_label,
    label_pair,
)

_ROWS = 8


def draw_results(stages: list[Stage], results: dict[str, StageResult], folder: Path) -> None:
    """Draw one sheet for every finished stage that made labels or a segmentor.

    Args:
        stages: The stages of a pipeline.
        results: Results of the finished ones by name.
        folder: Where ``<stage>.png`` is written.
    """
    for stage in stages:
        result = results.get(stage.name)
        draw = _drawing_of(stage)
        if result is None or draw is None:
            continue
        try:
            path = draw(stage.config, result, folder / f'{stage.name}.png')
            say(f'pictures: {path.resolve().as_uri()}')
        except (OSError, UserInputError) as error:  # the results stand without pictures
            say(f"no pictures of stage '{stage.name}': {error}")


def _drawing_of(stage: Stage) -> Callable[[Config, StageResult, Path], Path] | None:
    if stage.makes_labels:
        return draw_labels
    if stage.task == 'train' and 'decode_head' in stage.config.model:
        return draw_predictions
    return None


def draw_labels(config: Config, result: StageResult, path: Path) -> Path:
    """Draw a sheet of weak labels, pseudo labels and, if listed, true masks.

    Args:
        config: Config of the label stage.
        result: Its result, with a folder for every label name.
        path: The PNG file.
    """
    dataset = dataset_of(config)
    palette = dataset.metainfo['palette']
    # A stage may give more than labels: scores it keeps, proportions.
    names = [name for name in config.test_cfg.generator.labels if name in result.outputs]
    rows, captions = [], []
    for info in spread(dataset):
        image = read_image(info['img_path'])
        files = [Path(result.outputs[name], f'{info["img_id"]}.png') for name in names]
        labels = [read_label_map(file) for file in files]
        pairs = [label_pair(image, label, palette) for label in labels]
        truth = true_masks(image, info)
        row = [weak_label(image, info, palette), *chain(*pairs)]
        rows.append(row + [flat_label(mask, palette) for mask in truth])
        captions.append(row_caption(info, [*labels, *truth], dataset.metainfo))
    titles = ['weak label', *chain(*((name, '') for name in names))]
    return contact_sheet(rows, _with_truth(titles, rows), path, captions=captions)


@torch.no_grad()
def draw_predictions(config: Config, result: StageResult, path: Path) -> Path:
    """Draw a sheet of predictions of a trained segmentor on its test images.

    Args:
        config: Config of the segmentation stage.
        result: Its result, with a checkpoint.
        path: The PNG file.
    """
    dataset = dataset_of(config)
    palette = dataset.metainfo['palette']
    model = trained_model(config, result.outputs['checkpoint'])
    rows, captions = [], []
    for info in spread(dataset):
        image = read_image(info['img_path'])
        (sample,) = model.test_step(pseudo_collate([dataset.pipeline(dict(info))]))
        label = predicted_label(sample)
        truth = true_masks(image, info)
        flat = [flat_label(mask, palette) for mask in truth]
        rows.append([image, *label_pair(image, label, palette), *flat])
        captions.append(row_caption(info, [label, *truth], dataset.metainfo))
    titles = _with_truth(['image', 'prediction', ''], rows)
    return contact_sheet(rows, titles, path, captions=captions)


def trained_model(config: Config, checkpoint: str) -> BaseModel:
    """Build the model of a stage with the weights of its checkpoint, for predictions."""
    init_default_scope('mmwsss')
    model = MODELS.build(config.model).eval()
    load_fitting(model, read_checkpoint(checkpoint), checkpoint)
    return model


def predicted_label(sample: SegDataSample) -> np.ndarray:
    """Label map uint8 (H, W) that a segmentor predicted."""
    return sample.pred_sem_seg.data[0].numpy().astype(np.uint8)


def dataset_of(config: Config) -> BaseDataset:
    """Build the data set of a stage's test."""
    init_default_scope('mmwsss')
    return DATASETS.build(config.test_dataloader.dataset)


def spread(dataset: BaseDataset, count: int = _ROWS) -> list[dict]:
    """Pick a few images from all over the data set."""
    picks = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int)
    return [dataset.get_data_info(int(i)) for i in picks]


def weak_label(image: np.ndarray, info: dict, palette: list) -> np.ndarray:
    """Draw the boxes of an image; tags are in the caption."""
    instances = info.get('instances', [])
    boxes = np.array([instance['bbox'] for instance in instances])
    labels = [to_seg_label(instance['bbox_label']) for instance in instances]
    return draw_boxes(image, boxes, [palette[label] for label in labels])


def row_caption(info: dict, labels: list[np.ndarray], metainfo: dict) -> Caption:
    """Name an image and the classes that its weak label, its labels or its true mask have."""
    tags = info.get('gt_label') or [one['bbox_label'] for one in info.get('instances', [])]
    img_id = info.get('img_id', Path(info['img_path']).stem)
    return caption_of(img_id, labels, metainfo['classes'], metainfo['palette'], tags=tags)


def true_masks(image: np.ndarray, info: dict) -> list[np.ndarray]:
    """Read the true mask of an image: a list of one, or of none."""
    if 'seg_map_path' not in info:
        return []
    return [read_true_mask(info, image_shape=image.shape[:2])]


def _with_truth(titles: list[str], rows: list[list[np.ndarray]]) -> list[str]:
    """Name the last column, and fill it where only some images have a true mask."""
    width = max(map(len, rows))
    for row in rows:
        row.extend([np.full((1, 1, 3), 255, dtype=np.uint8)] * (width - len(row)))
    return titles + ['truth'] * (width - len(titles))
