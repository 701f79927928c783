"""What the inferencers of this package share: reading images, result files, pictures."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.infer import BaseInferencer
from mmengine.registry import DefaultScope
from mmseg.structures import SegDataSample
from torch import nn

from mmwsss.apis.input_images import InputImage, check_names, input_images, is_list, weak_labels
from mmwsss.apis.loaded_model import LoadedModel
from mmwsss.apis.prediction_config import config_for_prediction
from mmwsss.apis.result_files import (
    image_stamp,
    picture_path,
    result_path,
    result_state,
    write_new_label,
    write_picture,
)
from mmwsss.engine.labels.files import LabelFile
from mmwsss.engine.state.fingerprints import file_hash, fingerprint
from mmwsss.structures import UserInputError, check_folder
from mmwsss.visualization.sheets import overlay

SCORE_THR = 0.5
"""Score above which a class counts as present in an image without tags."""

_DECIDES = ('model', 'test_pipeline', 'test_dataloader', 'test_cfg', 'label_steps')


@dataclass
class Prediction:
    """What was predicted for an image.

    Attributes:
        sample: The sample that the model filled.
        labels: Label map uint8 (H, W) of each name.
        asked: Weak label and threshold of the request.
    """

    sample: SegDataSample
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    asked: tuple[dict | None, float] = (None, SCORE_THR)


class ImageInferencer(BaseInferencer):
    """Predicts new images with a config and a checkpoint, in the scope of this package.

    Args:
        model: Path of a config, or the config itself. A config in a checkpoint is ignored.
        weights: Checkpoint of the model; by default ``load_from`` of the config.
        device: Where the model runs; by default a GPU if there is one.
        tta: Use ``tta_model`` and ``tta_pipeline`` of the config.
        show_progress: Show a bar.

    Attributes:
        model_kind: What the class of the model must derive from.
        instead: End of the error message for a model that does not.
        suffix: Suffix of result files.

    Raises:
        UserInputError: If config and checkpoint do not fit each other or cannot be read.
    """

    model_kind: ClassVar[type]
    instead: ClassVar[str]
    suffix: ClassVar[str] = '.png'
    preprocess_kwargs: ClassVar[set[str]] = {'tags', 'boxes', 'many'}
    forward_kwargs: ClassVar[set[str]] = {'score_thr'}
    visualize_kwargs: ClassVar[set[str]] = {'return_vis', 'show', 'wait_time', 'vis_dir', 'drawn'}
    postprocess_kwargs: ClassVar[set[str]] = {'out_dir', 'images', 'as_list', 'names'}

    def __init__(
        self,
        model: Any,
        weights: str | None = None,
        device: str | None = None,
        *,
        tta: bool = False,
        show_progress: bool = True,
    ) -> None:
        config = config_for_prediction(model, tta=tta)
        self.weights = weights or config.get('load_from')
        super().__init__(config, self.weights, device or get_device(), 'mmwsss', show_progress)
        self._stamp: str | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, background first, from the checkpoint's meta."""
        return self.loaded.classes

    @property
    def palette(self) -> list:
        """RGB colour of each class."""
        return self.loaded.palette

    @property
    def foreground_classes(self) -> tuple[str, ...]:
        """Names of the foreground classes 0..K-1."""
        return self.classes[1:]

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the results and of their folders."""

    # Required by BaseInferencer

    def _init_model(self, cfg: Config, weights: str | None, device: str = 'cpu') -> nn.Module:
        self.loaded = LoadedModel(cfg, weights, device, kind=self.model_kind, instead=self.instead)
        return self.loaded.model

    def _init_pipeline(self, cfg: Config) -> Callable:
        return self.loaded.run

    def _init_collate(self, cfg: Config) -> Callable:
        return pseudo_collate

    def _init_visualizer(self, cfg: Config) -> None:
        """Do nothing, as pictures come from :mod:`mmwsss.visualization`."""

    def _inputs_to_list(self, inputs: Any) -> list[InputImage]:
        return input_images(inputs)

    def preprocess(
        self,
        inputs: list[InputImage],
        batch_size: int = 1,
        tags: Any = None,
        boxes: Any = None,
        many: bool = False,
    ) -> Iterator[list[tuple[InputImage, dict | None]]]:
        """Yield chunks of images with their weak labels."""
        weak = weak_labels(tags, boxes, inputs, self.foreground_classes, many=many)
        yield from self._get_chunk_data(zip(inputs, weak, strict=True), batch_size)

    def forward(
        self, inputs: list[tuple[InputImage, dict | None]], score_thr: float = SCORE_THR
    ) -> list[Prediction]:
        """Predict images one by one, because their sizes differ."""
        # Refiners build their networks when they see the first image.
        with torch.no_grad(), DefaultScope.overwrite_default_scope('mmwsss'):
            predictions = [self.predict(image, weak, score_thr) for image, weak in inputs]
        for prediction, (_, weak) in zip(predictions, inputs, strict=True):
            prediction.asked = (weak, score_thr)
        return predictions

    @abstractmethod
    def predict(self, image: InputImage, weak: dict | None, score_thr: float) -> Prediction:
        """Predict one image, whose weak label may be known."""

    # Results

    def __call__(
        self,
        inputs: Any,
        tags: Any = None,
        boxes: Any = None,
        return_datasamples: bool = False,
        batch_size: int = 1,
        return_vis: bool = False,
        show: bool = False,
        wait_time: float = 0,
        out_dir: str = '',
        label: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Predict images.

        Args:
            inputs: Path, folder, pattern, array (uint8 BGR), or a list of them.
            tags: For each image, names or indices of its foreground classes; for a single image,
                just its tags. None uses the classes with scores above ``score_thr``.
            boxes: For each image, its boxes, xyxy in pixels of the upright image, (m, 4); its tags
                then name the class of each box.
            return_datasamples: Return data samples instead of dicts.
            batch_size: Images in a chunk. They run one by one, because their sizes differ.
            return_vis: Return pictures, uint8 RGB.
            show: Show the pictures in a window.
            wait_time: Seconds to show each picture; 0 waits for a key.
            out_dir: Folder of the results: ``<name>/<img_id>.png`` or ``.npz``, and pictures
                ``<name>_overlay/<img_id>.jpg``.
            label: Name of the label to draw and write; by default the last one is drawn and all are
                written.
            **kwargs: ``score_thr``, 0.5 by default.

        Returns:
            ``predictions``, a list if the input was a list or folder, otherwise a single one; and
            ``visualization``, a list of pictures if requested.

        Raises:
            UserInputError: If an input, a tag or a box cannot be used.
            ValueError: For an unknown argument.
        """
        images, many = self._inputs_to_list(inputs), is_list(inputs)
        if label is not None and label not in self.names:
            raise UserInputError(f'label={label!r}: the results are {", ".join(self.names)}.')
        names = self.names if label is None else (label,)
        if out_dir:
            check_folder('out_dir', out_dir)
            check_names(images)
        return super().__call__(
            images,
            return_datasamples,
            batch_size,
            tags=tags,
            boxes=boxes,
            many=many,
            return_vis=return_vis,
            show=show,
            wait_time=wait_time,
            vis_dir=out_dir,
            drawn=names,
            out_dir=out_dir,
            images=images,
            as_list=many,
            names=names,
            **kwargs,
        )

    def visualize(
        self,
        inputs: list[InputImage],
        preds: list[Prediction],
        show: bool = False,
        return_vis: bool = False,
        wait_time: float = 0,
        vis_dir: str = '',
        drawn: Sequence[str] = (),
    ) -> list[np.ndarray]:
        """Draw predictions: the last label for the caller, all labels into files."""
        shown = []
        for image, prediction in zip(inputs, preds, strict=True):
            if not (show or return_vis or vis_dir):
                break
            pixels = image.read()
            pictures = {name: self.draw(pixels, prediction, name) for name in drawn}
            if vis_dir:
                for name, picture in pictures.items():
                    write_picture(picture_path(vis_dir, name, image), picture)
            if show:
                mmcv.imshow(pictures[drawn[-1]][..., ::-1], image.img_id, int(1000 * wait_time))
            shown.append(pictures[drawn[-1]])
        return shown

    def draw(self, pixels: np.ndarray, prediction: Prediction, name: str) -> np.ndarray:
        """Draw a result over its image, uint8 RGB (H, W, 3)."""
        return overlay(pixels, prediction.labels[name], self.palette)

    def postprocess(
        self,
        preds: list[Prediction],
        visualization: list[np.ndarray],
        return_datasamples: bool = False,
        out_dir: str = '',
        images: Sequence[InputImage] = (),
        as_list: bool = False,
        names: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Write files and return results."""
        if out_dir:
            for image, prediction in zip(images, preds, strict=True):
                for name in names:
                    self.write(out_dir, name, image, prediction)
        results = [p.sample if return_datasamples else self.result_of(p) for p in preds]
        return dict(predictions=results if as_list else results[0], visualization=visualization)

    @abstractmethod
    def result_of(self, prediction: Prediction) -> dict[str, Any]:
        """Return a prediction as arrays."""

    # Files

    def write(self, out_dir: str, name: str, image: InputImage, prediction: Prediction) -> None:
        """Write a result; called after its picture, so that a result implies that both exist."""
        stamp = self.stamp_of(image, prediction.asked)
        path = result_path(out_dir, name, image)
        write_new_label(path, prediction.labels[name], self.palette, stamp)

    def state_of(self, out_dir: str, image: InputImage) -> LabelFile:
        """Tell whether results for this image, without tags, and this model already exist."""
        stamp = self.stamp_of(image, (None, SCORE_THR))
        states = [
            result_state(
                result_path(out_dir, name, image, self.suffix),
                picture_path(out_dir, name, image),
                stamp,
            )
            for name in self.names
        ]
        if LabelFile.TO_MAKE in states:
            return LabelFile.TO_MAKE
        return LabelFile.BY_HAND if LabelFile.BY_HAND in states else LabelFile.DONE

    def files(self) -> tuple[str, ...]:
        """Files that determine the results, besides the config."""
        return (self.weights,) if self.weights else ()

    def stamp_of(self, image: InputImage, asked: tuple[dict | None, float]) -> str:
        """Fingerprint of the model with its settings, and of the image with the request."""
        if self._stamp is None:
            settings = {key: self.cfg.get(key) for key in _DECIDES}
            hashes = [file_hash(path) for path in self.files()]
            self._stamp = fingerprint([settings, hashes, self.classes])
        return f'{self._stamp}-{image_stamp(image, asked)}'
