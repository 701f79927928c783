"""Normalizers: class activation maps in, maps in [0, 1] out."""

from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.cams.functional import max_normalize
from mmwsss.pseudo_labels.class_boxes import normalize_in_boxes
from mmwsss.pseudo_labels.sample_fields import boxes_of
from mmwsss.registry import TASK_UTILS


@TASK_UTILS.register_module()
class MaxNormalize:
    """Divide every map by its maximum over the image, see :func:`max_normalize`.

    A map without activation stays 0.

    Source: Ahn and Kwak, "Learning Pixel-level Semantic Affinity with Image-level Supervision for
    Weakly Supervised Semantic Segmentation", CVPR 2018, Sec. 3.1.
    """

    requires = ()

    def normalize(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Normalise maps (n, H, W)."""
        return max_normalize(cams)


@TASK_UTILS.register_module()
class BoxNormalize:
    """Divide every map by its maximum in each box of its class, see :func:`normalize_in_boxes`."""

    requires = ('gt_instances',)

    def normalize(self, cams: Tensor, sample: SegDataSample) -> Tensor:
        """Normalise maps (n, H, W); 0 outside the boxes of the class."""
        return normalize_in_boxes(cams, boxes_of(sample, cams))
