"""Class activation maps merged over views of an image."""

from typing import Literal

import torch
from mmengine.model import BaseTTAModel
from mmseg.structures import SegDataSample
from torch import nn

from mmwsss.cams.functional import max_normalize, mean_sigmoid
from mmwsss.registry import MODELS
from mmwsss.structures import CAMSource, check_contract

Merge = Literal['sum_normalize', 'mean_sigmoid']


@MODELS.register_module()
class MultiScaleCAM(BaseTTAModel):
    """Merge the maps of all views: their normalised sum, or the sigmoid of their mean.

    ``'sum_normalize'``: ``cam_c = sum_v cam_c^v / (max_p sum_v cam_c^v + 1e-5)``.
    ``'mean_sigmoid'``: ``cam_c = sigmoid(mean_v cam_c^v)`` of the classifier's raw maps. Views come
    from mmcv's ``TestTimeAug``. The maps of each view cover only the present classes, are flipped
    back and have the original image size. A view may itself be the sum of an image and its mirror
    image (``flip`` of :class:`CAMClassifier`). Predicted thresholds are averaged over the views;
    features and annotations are those of the first view.

    Args:
        module: The classifier, or its config.
        data_preprocessor: Config of a data preprocessor, if ``module`` is a config.
        merge: How to merge the maps of the views.

    Raises:
        ValueError: If ``merge`` is unknown or does not match the classifier's ``rectify``.

    Source:
        Ahn and Kwak, "Learning Pixel-level Semantic Affinity", CVPR 2018, section 4.1; the sum
        before the normalisation is that of the published code. ``'mean_sigmoid'``: the published
        code of Wu et al., "Adaptive Spatial-BCE Loss for Weakly Supervised Semantic Segmentation",
        ECCV 2022.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        data_preprocessor: dict | None = None,
        *,
        merge: Merge = 'sum_normalize',
    ) -> None:
        super().__init__(module, data_preprocessor)
        if merge not in ('sum_normalize', 'mean_sigmoid'):
            raise ValueError(f"merge must be 'sum_normalize' or 'mean_sigmoid', got {merge!r}.")
        check_contract(self.module, CAMSource, 'module')
        rectify = self.module.rectify
        if rectify is not None and (rectify == 'never') != (merge == 'mean_sigmoid'):
            raise ValueError(
                f'merge={merge!r} does not match rectify={rectify!r} of the classifier: '
                "'mean_sigmoid' needs raw maps (rectify='never'), 'sum_normalize' needs maps "
                "without negative values ('before_resize', 'after_resize'). Change one of the two."
            )
        self.merge = merge

    def merge_preds(
        self, data_samples_list: list[tuple[SegDataSample, ...]]
    ) -> list[SegDataSample]:
        """Merge the predictions of all views of each image."""
        return [self._merge(views) for views in data_samples_list]

    def _merge(self, views: tuple[SegDataSample, ...]) -> SegDataSample:
        merged = views[0]
        total = torch.stack([view.cams for view in views]).sum(dim=0)  # (n, H, W)
        if self.merge == 'mean_sigmoid':
            num_maps = len(views) * self.module.maps_per_view
            merged.cams = mean_sigmoid(total, num_maps)
        else:
            merged.cams = max_normalize(total)
        for name in ('pred_score', 'threshold_logit'):
            if name in merged:
                merged.set_field(torch.stack([view.get(name) for view in views]).mean(dim=0), name)
        return merged
