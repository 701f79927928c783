"""Segmentations of new images, with the files of this package."""

from typing import Any, ClassVar

import numpy as np
from mmseg.models import BaseSegmentor

from mmwsss.apis.image_inferencer import ImageInferencer, Prediction
from mmwsss.apis.input_images import InputImage


class SegmentorInferencer(ImageInferencer):
    """Inferencer of ``tools/predict.py`` for segmentors; mmseg's ``MMSegInferencer`` also works.

    A prediction is a label map uint8 (H, W). Results are palette PNGs ``pred/<img_id>.png`` and
    overlays.
    """

    model_kind: ClassVar[type] = BaseSegmentor
    instead: ClassVar[str] = 'is not a segmentor.'

    @property
    def names(self) -> tuple[str, ...]:
        """Name of the folder of the segmentations."""
        return ('pred',)

    def predict(self, image: InputImage, weak: dict | None, score_thr: float) -> Prediction:
        """Segment an image."""
        sample = self.loaded.run(self.loaded.entry_of(image, image.read(), None))
        label = sample.pred_sem_seg.data[0].cpu().numpy().astype(np.uint8)
        return Prediction(sample, {'pred': label})

    def result_of(self, prediction: Prediction) -> Any:
        """Return the label map."""
        return prediction.labels['pred']
