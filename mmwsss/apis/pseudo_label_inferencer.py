"""Pseudo labels for new images, as a label stage makes them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmseg.structures import SegDataSample

from mmwsss.apis.cam_inferencer import CAMInferencer
from mmwsss.apis.image_inferencer import Prediction
from mmwsss.apis.input_images import InputImage
from mmwsss.pseudo_labels import PseudoLabelGenerator
from mmwsss.registry import TASK_UTILS
from mmwsss.structures import (
    UserInputError,
    enlarge_scores,
    grid_means,
    round_scores,
    size_of,
)


@dataclass(frozen=True)
class _Step:
    """A later label stage, which starts from a label's scores of the previous stage."""

    scores: str
    stride: int
    generator: PseudoLabelGenerator


class PseudoLabelInferencer(CAMInferencer):
    """Labels for new images, the same as the label stage of the config would write.

    A prediction has what :class:`CAMInferencer` gives and ``labels``, with a map uint8 (H, W) of
    0..K and 255 for each name. Results are palette PNGs ``<label>/<img_id>.png`` and overlays.

    If a later label stage starts from kept scores of an earlier one, as a random walk does, the
    config has ``label_steps``, a list of ``dict(scores=<label>, stride=1, generator=<config>)``.
    Each step makes labels from that label's scores of the previous step, reduced to the stride at
    which they are kept. The labels of the last step are the result. A pipeline writes such a
    config, including its checkpoints, next to its results.

    Args:
        model: Config of a label stage, or its path; other arguments as in :class:`ImageInferencer`.

    Example:
        >>> inferencer = PseudoLabelInferencer('work_dirs/psa_shapes/walk.py')
        >>> inferencer('photo.jpg', tags=['dog'])['predictions']['labels']  # doctest: +SKIP
    """

    suffix: ClassVar[str] = '.png'

    def __init__(
        self,
        model: Any,
        weights: str | None = None,
        device: str | None = None,
        *,
        tta: bool = False,
        show_progress: bool = True,
    ) -> None:
        super().__init__(model, weights, device, tta=tta, show_progress=show_progress)
        generator = (self.cfg.get('test_cfg') or {}).get('generator')
        if not generator:
            raise UserInputError(
                f'{self.cfg.filename or "the config"} makes no labels, because it has no '
                'test_cfg.generator. Use CAMInferencer for the maps of its classifier.'
            )
        with DefaultScope.overwrite_default_scope('mmwsss'):
            self.generator: PseudoLabelGenerator = TASK_UTILS.build(generator)
            self._steps = [
                _Step(step['scores'], step.get('stride', 1), TASK_UTILS.build(step['generator']))
                for step in self.cfg.get('label_steps', ())
            ]
            self._annotate = Compose(
                [dict(type='LoadWeakAnnotations'), dict(type='PackWeakInputs')]
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self._generators[-1].names

    @property
    def _generators(self) -> list[PseudoLabelGenerator]:
        return [self.generator, *(step.generator for step in self._steps)]

    def files(self) -> tuple[str, ...]:
        """Checkpoint and the files of the generators' parts."""
        return (*super().files(), *(f for generator in self._generators for f in generator.files))

    def predict(self, image: InputImage, weak: dict | None, score_thr: float) -> Prediction:
        """Make the maps of an image, and its labels from them."""
        pixels = image.read()
        entry = self.loaded.entry_of(image, pixels, weak)
        needed = frozenset(f for generator in self._generators for f in generator.requires)
        sample = self._maps_of(dict(entry), weak, score_thr, needed)
        maps = self.generator.make(sample, pixels)
        if weak is None:
            entry['gt_label'] = sample.gt_label.tolist()
        for step in self._steps:
            # As a stage with `StoredCAMs` reads them: annotations of the original image, rounded
            # scores.
            later: SegDataSample = self._annotate({**entry, 'seg_fields': []})['data_samples']
            later = later.to(sample.cams.device)
            scores = maps.scores[step.scores]
            stored = round_scores(grid_means(scores, step.stride).cpu().numpy(), image.img_id)
            stored = enlarge_scores(stored, step.stride, size_of(scores))
            later.cam_label = maps.classes
            later.cams = torch.from_numpy(stored[1:].astype(np.float32)).to(sample.cams.device)
            maps = step.generator.make(later, pixels)
        return Prediction(sample, maps.labels)

    def result_of(self, prediction: Prediction) -> dict[str, Any]:
        """Return maps, classes, scores and labels as arrays."""
        return {**super().result_of(prediction), 'labels': prediction.labels}
