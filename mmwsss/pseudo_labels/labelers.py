"""From scores to label maps."""

from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.registry import TASK_UTILS
from mmwsss.structures import seg_map_from_scores


@TASK_UTILS.register_module()
class ArgmaxLabeler:
    """Give every pixel the label of its best score; background wins ties."""

    requires: tuple[str, ...] = ()

    def __call__(self, scores: Tensor, sample: SegDataSample) -> Tensor:
        """Label scores (1+n, H, W): uint8 (H, W)."""
        return seg_map_from_scores(scores, sample.cam_label)
