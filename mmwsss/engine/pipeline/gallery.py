"""Pictures of every stage of a finished pipeline, one row per image."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate

from mmwsss.datasets.image_files import read_image, read_label_map
from mmwsss.engine.pipeline.pictures import (
    dataset_of,
    predicted_label,
    row_caption,
    spread,
    trained_model,
    true_masks,
    weak_label,
)
from mmwsss.engine.state.stage_state import StageState
from mmwsss.registry import MODELS
from mmwsss.structures import UserInputError, read_json
from mmwsss.visualization import Caption, flat_label, heat_map

Drawn = tuple[np.ndarray, list[np.ndarray]]
"""A picture, and the label maps that it shows."""


@dataclass(frozen=True)
class FinishedStage:
    """A stage as a finished pipeline left it.

    Attributes:
        name: Its name in the pipeline.
        config: The config that it ran with.
        outputs: What it made, by name.
        metrics: What was measured.
    """

    name: str
    config: Config
    outputs: dict[str, str]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Column:
    """What one stage shows of every image.

    Attributes:
        title: Stage and label.
        note: Its mIoU, or ''.
        draw: From the entry of an image in the data set, and the image, to its picture.
    """

    title: str
    note: str
    draw: Callable[[dict, np.ndarray], Drawn]


@dataclass(frozen=True)
class Gallery:
    """All pictures of a pipeline.

    Attributes:
        title: Name of the work folder.
        columns: Title and note of every column.
        rows: Pictures of every image, one per column, RGB.
        captions: What stands above each row.
    """

    title: str
    columns: list[tuple[str, str]]
    rows: list[list[np.ndarray]]
    captions: list[Caption]


@torch.no_grad()
def gallery_of(folder: Path, *, count: int) -> Gallery:
    """Draw some images as every stage of a finished pipeline sees them.

    Segmentors predict the images that the labels were made for, so that a row shows one image.

    Args:
        folder: Work folder of the pipeline.
        count: How many images, spread over the split of the labels.

    Raises:
        UserInputError: If the folder is not that of a finished pipeline with labels.
    """
    stages = read_finished(folder)
    makers = [stage for stage in stages if 'generator' in (stage.config.get('test_cfg') or {})]
    if not makers:
        raise UserInputError(f'{folder}: none of its finished stages made labels.')
    dataset = dataset_of(makers[0].config)
    palette = dataset.metainfo['palette']
    columns = [
        Column('weak label', '', lambda info, image: (weak_label(image, info, palette), [])),
        *(column for stage in stages for column in _columns(stage, palette)),
    ]
    infos = spread(dataset, count)
    if any('seg_map_path' in info for info in infos):
        columns.append(Column('truth', '', _flat(palette, _read_truth)))
    rows, captions = [], []
    for info in infos:
        image = read_image(info['img_path'])
        drawn = [column.draw(info, image) for column in columns]
        rows.append([picture for picture, _ in drawn])
        shown = [label for _, labels in drawn for label in labels]
        captions.append(row_caption(info, shown, dataset.metainfo))
    titles = [(column.title, column.note) for column in columns]
    return Gallery(folder.resolve().name, titles, rows, captions)


def read_finished(folder: Path) -> list[FinishedStage]:
    """Read the finished stages of a pipeline from its work folder.

    Raises:
        UserInputError: If something is missing there.
    """
    path = folder / 'results.json'
    if not path.is_file():
        raise UserInputError(
            f'{path} does not exist. Name work folders of pipelines, as tools/train.py leaves them.'
        )
    names: Any = read_json(path)  # in their order; the stages know where they lie now
    results = {name: StageState(folder / name).result() for name in names}
    return [
        FinishedStage(name, _config_of(folder / name), result.outputs, result.metrics)
        for name, result in results.items()
        if result is not None and result.outputs
    ]


def _config_of(folder: Path) -> Config:
    """Read the config that a stage ran with last."""
    files = sorted(folder.glob('*.py'), key=lambda path: path.stat().st_mtime)
    if not files:
        raise UserInputError(f'{folder} has no config of the stage. Run the pipeline again.')
    return Config.fromfile(files[-1])


def _columns(stage: FinishedStage, palette: list) -> Iterator[Column]:
    config, checkpoint = stage.config, stage.outputs.get('checkpoint')
    if checkpoint and config.model.type == 'CAMClassifier' and config.get('test_dataloader'):
        yield Column(f'{stage.name}: CAM', '', _CAMs(config, checkpoint))
    elif checkpoint and 'decode_head' in config.model:
        draw = _flat(palette, _Prediction(config, checkpoint))
        yield Column(stage.name, _miou(stage.metrics, 'mIoU'), draw)
    elif 'generator' in (config.get('test_cfg') or {}):
        for name in stage.outputs:  # in their order; the config that was written has them sorted
            if name in config.test_cfg.generator.labels:
                draw = _flat(palette, _ReadLabel(Path(stage.outputs[name])))
                yield Column(f'{stage.name}: {name}', _miou(stage.metrics, f'{name}/mIoU'), draw)


def _miou(metrics: dict[str, float], key: str) -> str:
    value = metrics.get(key, math.nan)
    return '' if math.isnan(value) else f'mIoU {value:.1f}'


def _flat(palette: list, find: Callable[[dict, np.ndarray], list[np.ndarray]]) -> Any:
    """Draw the label map that is found for an image, or an empty picture."""

    def draw(info: dict, image: np.ndarray) -> Drawn:
        labels = find(info, image)
        pictures = [flat_label(label, palette) for label in labels]
        return (*pictures, np.full_like(image, 255))[0], labels

    return draw


def _read_truth(info: dict, image: np.ndarray) -> list[np.ndarray]:
    return true_masks(image, info)


class _ReadLabel:
    """The label map of an image in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, info: dict, image: np.ndarray) -> list[np.ndarray]:
        return [read_label_map(self.folder / f'{info["img_id"]}.png')]


class _Trained:
    """The model of a stage, and the test pipeline that feeds it."""

    def __init__(self, config: Config, checkpoint: str) -> None:
        self.dataset: BaseDataset = dataset_of(config)
        self.model: Any = trained_model(config, checkpoint)
        if 'TestTimeAug' in str(config.test_dataloader.dataset.pipeline):  # several views
            self.model = MODELS.build(dict(config.tta_model, module=self.model))

    def predict(self, info: dict) -> Any:
        (sample,) = self.model.test_step(pseudo_collate([self.dataset.pipeline(dict(info))]))
        return sample


class _Prediction(_Trained):
    """The label map that a segmentor predicts for an image."""

    def __call__(self, info: dict, image: np.ndarray) -> list[np.ndarray]:
        return [predicted_label(self.predict(info))]


class _CAMs(_Trained):
    """The activation maps of the present classes over an image, the largest at each pixel."""

    def __call__(self, info: dict, image: np.ndarray) -> Drawn:
        cams = self.predict(info).cams.clamp_min(0)
        peaks = cams.flatten(1).amax(dim=1).clamp_min(1e-5)[:, None, None] if len(cams) else 1
        best = (cams / peaks).amax(dim=0) if len(cams) else torch.zeros(image.shape[:2])
        return heat_map(image, best.numpy()), []
