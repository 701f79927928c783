"""Class activation maps summed over views of an image."""

import torch
from mmengine.model import BaseTTAModel
from mmseg.structures import SegDataSample

from mmwsss.cams.functional import max_normalize
from mmwsss.registry import MODELS


@MODELS.register_module()
class MultiScaleCAM(BaseTTAModel):
    """Sum the maps of all views and divide each class by its maximum.

    ``cam_c = sum_v cam_c^v / (max_p sum_v cam_c^v + 1e-5)``. Views come from mmcv's
    ``TestTimeAug``; each view's maps are un-flipped and of the original image size, for the
    present classes alone. Features and annotations are those of the first view.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity", CVPR 2018, section 4.1; the sum
        before the normalisation is that of the published code.
    """

    def merge_preds(
        self, data_samples_list: list[tuple[SegDataSample, ...]]
    ) -> list[SegDataSample]:
        """Merge the predictions of all views of each image."""
        return [self._merge(views) for views in data_samples_list]

    @staticmethod
    def _merge(views: tuple[SegDataSample, ...]) -> SegDataSample:
        merged = views[0]
        total = torch.stack([view.cams for view in views]).sum(dim=0)  # (n, H, W)
        merged.cams = max_normalize(total)
        merged.pred_score = torch.stack([view.pred_score for view in views]).mean(dim=0)
        return merged
