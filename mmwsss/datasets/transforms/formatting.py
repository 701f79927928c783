"""Packs a pipeline's results into a data sample."""

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmseg.datasets.transforms import PackSegInputs

from mmwsss.registry import TRANSFORMS
from mmwsss.structures import multi_hot

META_KEYS = (
    'img_id',
    'img_path',
    'seg_map_path',
    'ori_shape',
    'img_shape',
    'pad_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'reduce_zero_label',
)


@TRANSFORMS.register_module()
class PackWeakInputs(PackSegInputs):
    """Pack the image and whatever labels the pipeline loaded.

    In addition to mmseg's ``gt_sem_seg`` (from ``gt_seg_map``), the sample gets

    - ``gt_label`` LongTensor (n,), ascending, and ``gt_score`` FloatTensor (K,): the classes of the
      boxes left after cropping, or the tags of the whole image;
    - ``gt_proportion`` float64 (K,), the expected share of the image's pixels of each class. It
      refers to the whole image, whatever the cropping and warping;
    - ``gt_instances`` with ``bboxes`` float (m, 4) and ``labels`` (m,), in annotation order;
    - ``background_mask`` uint8 (1, H, W);
    - ``gt_sem_seg_aux`` (1, H, W) from ``gt_seg_map_aux``;
    - ``affinity_label`` uint8 (1, h, w) on the grid of an affinity network.

    Args:
        meta_keys: Keys of the results to keep as meta information of the sample.
    """

    def __init__(self, *, meta_keys: tuple[str, ...] = META_KEYS) -> None:
        super().__init__(meta_keys=meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``inputs`` (3, H, W) and ``data_samples``."""
        packed = super().transform(results)
        sample = packed['data_samples']
        label = results.get('gt_label')
        if 'gt_bboxes' in results:
            label = results['gt_bboxes_labels']
            sample.gt_instances = InstanceData(
                bboxes=torch.from_numpy(results['gt_bboxes'].astype(np.float32)),
                labels=torch.from_numpy(label),
            )
        if label is not None:
            sample.gt_label = torch.from_numpy(np.unique(label).astype(np.int64))
            sample.gt_score = multi_hot(sample.gt_label, results['num_classes'])
        if 'proportions' in results:
            sample.gt_proportion = torch.tensor(results['proportions'], dtype=torch.float64)
        if 'background_mask' in results:
            sample.background_mask = _pixel_data(results['background_mask'])
        if 'affinity_label' in results:
            sample.affinity_label = _pixel_data(results['affinity_label'])
        if 'gt_seg_map_aux' in results:
            sample.gt_sem_seg_aux = _pixel_data(results['gt_seg_map_aux'].astype(np.int64))
        return packed


def _pixel_data(label_map: np.ndarray) -> PixelData:
    return PixelData(data=torch.from_numpy(np.ascontiguousarray(label_map))[None])
