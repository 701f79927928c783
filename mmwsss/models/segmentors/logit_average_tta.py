"""Test-time augmentation that averages logits and may refine the result."""

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmwsss.datasets.image_files import read_image
from mmwsss.registry import MODELS, TASK_UTILS
from mmwsss.structures import Refiner, check_contract


@MODELS.register_module()
class LogitAverageTTA(BaseTTAModel):
    r"""Average the logits of all views at the original size, refine, take the best class.

    .. math:: P = softmax(\frac{1}{V} \sum_v z_v), \quad label = \arg\max refine(P)

    mmseg's ``SegTTAModel`` averages probabilities, which bounds the say of a confident view.

    Args:
        module: Config of the segmentor.
        refiner: Config of a refiner (``TASK_UTILS``), e.g. ``DenseCRF``. It sees the probabilities
            of all classes and the original image in RGB. It runs in this process, one image after
            the other: with a dense CRF it costs more than the network.
        data_preprocessor: Config of the preprocessor; mmengine's runner hands it over.

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised Semantic
    Segmentation", CVPR 2021. Differs from the published code: the CRF sees the image, not the image
    minus the mean wrapped to 8 bits; every view is resized to its own input first, then to the
    image.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        *,
        refiner: dict | None = None,
        data_preprocessor: dict | nn.Module | None = None,
    ) -> None:
        super().__init__(module, data_preprocessor)
        self.refiner: Refiner | None = None
        if refiner is not None:
            self.refiner = check_contract(TASK_UTILS.build(refiner), Refiner, 'refiner')

    def merge_preds(
        self, data_samples_list: list[tuple[SegDataSample, ...]]
    ) -> list[SegDataSample]:
        """Merge the views of every image; the result is the first view's sample."""
        return [self._merge(views) for views in data_samples_list]

    def _merge(self, views: tuple[SegDataSample, ...]) -> SegDataSample:
        merged = views[0]
        logits = average([view.seg_logits.data for view in views])  # (1+K, H, W)
        scores = logits.softmax(dim=0)
        if self.refiner is not None:
            scores = self.refiner.refine(scores, read_image(merged.img_path), merged)
        merged.seg_logits = PixelData(data=logits)
        merged.pred_sem_seg = PixelData(data=scores.argmax(dim=0, keepdim=True))
        return merged


def average(maps: list[Tensor]) -> Tensor:
    """Average equally sized maps in single precision, without stacking them."""
    total = torch.zeros_like(maps[0], dtype=torch.float32)
    for one in maps:
        total += one
    return total / len(maps)
