"""Test-time augmentation that averages logits and may refine the result."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.datasets.image_files import read_image
from mmwsss.registry import MODELS, TASK_UTILS
from mmwsss.structures import BACKGROUND, Refiner, UserInputError, check_contract


@dataclass(frozen=True)
class LabelJob:
    """The CPU-bound end of a prediction. Call it to run it, possibly in another process.

    Attributes:
        refiner: Refiner with ``in_worker = True``.
        scores: Probabilities of some classes, float32 (n, H, W).
        classes: Label of each of these classes, uint8 (n,).
        img_path: The original image.
    """

    refiner: Refiner
    scores: np.ndarray
    classes: np.ndarray
    img_path: str

    def __call__(self) -> np.ndarray:
        """Compute the label map, uint8 (H, W)."""
        refined = self.refiner.refine(
            torch.from_numpy(self.scores), read_image(self.img_path), None
        )
        return self.classes[refined.argmax(dim=0).numpy()]


@MODELS.register_module()
class LogitAverageTTA(BaseTTAModel):
    r"""Average the logits of all views at the original size, refine, take the best class.

    .. math:: P = softmax(\frac{1}{V} \sum_v z_v), \quad label = \arg\max refine(P)

    mmseg's ``SegTTAModel`` averages probabilities, which bounds the influence of a confident view.

    Args:
        module: Config of the segmentor.
        refiner: Config of a refiner (``TASK_UTILS``), e.g. ``DenseCRF``. It sees probabilities and
            the original image in RGB. Here it runs on one image after the other; a
            :class:`~mmwsss.engine.SegmentorTestLoop` runs a CPU-bound refiner in other processes.
        negligible: The refiner sees only background and the classes whose probability reaches this
            value somewhere in the image; other classes cannot win. 0 keeps all classes.
        data_preprocessor: Config of the preprocessor, passed by mmengine's runner.

    Raises:
        UserInputError: If ``negligible`` is not in [0, 1).

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
    Segmentation", CVPR 2021. Differs from the published code: the CRF sees the image instead of the
    image minus the mean, wrapped to 8 bits. Every view is first resized to its own input, then to
    the image. Classes without a pixel of noticeable probability are left out of the CRF.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        *,
        refiner: dict | None = None,
        negligible: float = 0.01,
        data_preprocessor: dict | nn.Module | None = None,
    ) -> None:
        if not 0 <= negligible < 1:
            raise UserInputError(
                f'negligible must be a probability of at least 0 and below 1, got {negligible}. A '
                'class that stays below it everywhere is not refined; 0 refines all classes.'
            )
        super().__init__(module, data_preprocessor)
        self.negligible = negligible
        self.refiner: Refiner | None = None
        if refiner is not None:
            self.refiner = check_contract(TASK_UTILS.build(refiner), Refiner, 'refiner')

    def test_step(self, data: dict[str, Any]) -> list[SegDataSample]:
        """Predict the logits and labels of a batch, each image in several views."""
        samples, jobs = self.start_step(data)
        finish_step(samples, [job() for job in jobs])
        return samples

    def start_step(self, data: dict[str, Any]) -> tuple[list[SegDataSample], list[LabelJob]]:
        """Predict a batch, leaving the work that other processes may do.

        Returns:
            The samples and a job for each, whose label maps go to :func:`finish_step`. Without a
            CPU-bound refiner there are no jobs, and the samples are finished.
        """
        samples = super().test_step(data)
        if self.refiner is not None and self.refiner.in_worker:
            return samples, [self._job(self.refiner, sample) for sample in samples]
        for sample in samples:
            _set_label(sample, self._label(sample))
        return samples, []

    def merge_preds(
        self, data_samples_list: list[tuple[SegDataSample, ...]]
    ) -> list[SegDataSample]:
        """Average the logits of every image's views; the result is the sample of the first view."""
        for views in data_samples_list:
            logits = average([view.seg_logits.data for view in views])  # (1+K, H, W)
            views[0].seg_logits = PixelData(data=logits)
        return [views[0] for views in data_samples_list]

    def _job(self, refiner: Refiner, sample: SegDataSample) -> LabelJob:
        scores, classes = self._noticeable(sample)
        labels = classes.to(torch.uint8)
        return LabelJob(refiner, scores.cpu().numpy(), labels.cpu().numpy(), sample.img_path)

    def _label(self, sample: SegDataSample) -> Tensor:
        if self.refiner is None:
            return sample.seg_logits.data.argmax(dim=0)
        scores, classes = self._noticeable(sample)
        refined = self.refiner.refine(scores, read_image(sample.img_path), sample)
        return classes[refined.argmax(dim=0)]

    def _noticeable(self, sample: SegDataSample) -> tuple[Tensor, Tensor]:
        """Return the probabilities (n, H, W) and labels (n,) of the classes to refine."""
        scores = sample.seg_logits.data.softmax(dim=0)
        keep = scores.amax(dim=(1, 2)) >= self.negligible
        keep[BACKGROUND] = True  # by contract the first row of a refiner's input
        return scores[keep], keep.nonzero().squeeze(1)


def finish_step(samples: Sequence[SegDataSample], labels: Sequence[np.ndarray]) -> None:
    """Give samples the label maps that their jobs made, uint8 (H, W), if there were any jobs."""
    for sample, label in zip(samples, labels, strict=False):
        _set_label(sample, torch.from_numpy(label).long())


def _set_label(sample: SegDataSample, label: Tensor) -> None:
    label = label.to(sample.seg_logits.data.device)
    sample.pred_sem_seg = PixelData(data=label.unsqueeze(0))


def average(maps: list[Tensor]) -> Tensor:
    """Average equally sized maps in single precision, without stacking them."""
    total = torch.zeros_like(maps[0], dtype=torch.float32)
    for one in maps:
        total += one
    return total / len(maps)
