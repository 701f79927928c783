"""Class activation maps of new images."""

from typing import Any, ClassVar

import numpy as np
import torch

from mmwsss.apis.image_inferencer import ImageInferencer, Prediction
from mmwsss.apis.input_images import InputImage
from mmwsss.apis.result_files import result_path
from mmwsss.models.checkpoint_fit import base_model
from mmwsss.models.classifiers import StoredCAMs
from mmwsss.structures import (
    CAMSource,
    UserInputError,
    multi_hot,
    write_scores,
)
from mmwsss.visualization.sheets import heat_map

_MAPS = 'cams'


class CAMInferencer(ImageInferencer):
    """Class activation maps and scores of new images, from a trained classifier.

    A prediction is a dict of ``cams`` float32 (n, H, W) at the size of the image, ``cam_label``
    int64 (n,), ``classes``, their n names, and ``pred_score`` float32 (K,), or None for a source
    without scores. The files are score files (:mod:`mmwsss.structures.score_files`) with an empty
    background, ``cams/<img_id>.npz``, and pictures of the heat maps side by side.

    Args:
        model: Config of a classifier, or its path; other arguments as in :class:`ImageInferencer`.

    Example:
        >>> inferencer = CAMInferencer('configs/CLASSIFIER.py', 'work_dirs/iter_8000.pth')
        >>> inferencer('photo.jpg', tags=['dog'])['predictions']['cams']  # doctest: +SKIP
    """

    model_kind: ClassVar[type] = CAMSource
    instead: ClassVar[str] = (
        "does not give class activation maps. For a segmentor use mmseg's MMSegInferencer(model, "
        "weights, scope='mmwsss')."
    )
    suffix: ClassVar[str] = '.npz'

    @property
    def names(self) -> tuple[str, ...]:
        """Name of the folder of the maps."""
        return (_MAPS,)

    def _init_model(self, cfg: Any, weights: str | None, device: str = 'cpu') -> Any:
        model = super()._init_model(cfg, weights, device)
        source: CAMSource = base_model(model)  # type: ignore[assignment]  # of `model_kind`
        if isinstance(source, StoredCAMs):
            raise UserInputError(
                f'{cfg.filename or "the config"} reads its maps from files, which new images do '
                'not have. Name the config that the pipeline wrote next to its results, <work '
                'folder>/<label stage>.py.'
            )
        self._model_requires = frozenset(source.requires)
        return model

    def predict(self, image: InputImage, weak: dict | None, score_thr: float) -> Prediction:
        """Return the maps of the classes that the image has, or seems to have."""
        entry = self.loaded.entry_of(image, image.read(), weak)
        return Prediction(self._maps_of(entry, weak, score_thr))

    def _maps_of(
        self,
        entry: dict,
        weak: dict | None,
        score_thr: float,
        required: frozenset[str] = frozenset(),
    ) -> Any:
        needed = (required | self._model_requires) & {'gt_instances', 'background_mask'}
        if needed and 'instances' not in (weak or {}):
            raise UserInputError(
                f'image {entry["img_id"]}: these labels are made from boxes. Pass `boxes`, and '
                '`tags` with the class of each box.'
            )
        sample = self.loaded.run(entry, required)
        if weak is None:
            present = (sample.pred_score > score_thr).nonzero().flatten()
            sample.cams = sample.cams[present.to(sample.cams.device)]
            sample.cam_label = sample.gt_label = present
            sample.gt_score = multi_hot(present, len(self.foreground_classes))
        return sample

    def result_of(self, prediction: Prediction) -> dict[str, Any]:
        """Return maps, classes and scores as arrays."""
        sample = prediction.sample
        label = sample.cam_label.cpu().numpy()
        scores = sample.get('pred_score')
        return dict(
            cams=sample.cams.float().cpu().numpy(),
            cam_label=label,
            classes=tuple(self.foreground_classes[i] for i in label),
            pred_score=None if scores is None else scores.float().cpu().numpy(),
        )

    def draw(self, pixels: np.ndarray, prediction: Prediction, name: str) -> np.ndarray:
        """Draw the heat maps of all classes side by side, or the image if there are none."""
        if name != _MAPS:
            return super().draw(pixels, prediction, name)
        maps = prediction.sample.cams.float().clamp_min(0).cpu().numpy()
        return np.hstack([heat_map(pixels, one) for one in maps] or [pixels])

    def write(self, out_dir: str, name: str, image: InputImage, prediction: Prediction) -> None:
        """Write the maps as a score file."""
        if name != _MAPS:
            super().write(out_dir, name, image, prediction)
            return
        cams = prediction.sample.cams.float().cpu()
        stack = torch.cat([cams.new_zeros(1, *cams.shape[1:]), cams]).numpy()
        classes = prediction.sample.cam_label.cpu().numpy()
        stamp = self.stamp_of(image, prediction.asked)
        write_scores(result_path(out_dir, name, image, self.suffix), stack, classes, stamp)
