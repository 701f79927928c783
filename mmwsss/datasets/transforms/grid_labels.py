"""Turns label maps into the labels that an affinity network learns from."""

from mmcv.transforms import BaseTransform

from mmwsss.affinity.labels import confident_label, grid_label
from mmwsss.registry import TRANSFORMS
from mmwsss.structures import UserInputError

_MAPS = ('gt_seg_map', 'gt_seg_map_aux')


@TRANSFORMS.register_module()
class GridLabels(BaseTransform):
    """Turn pseudo labels into ``affinity_label`` uint8 (H/stride, W/stride).

    A cell has the label of the pixel at its centre; see :func:`~mmwsss.affinity.grid_label`. With
    two label maps, the classes of ``gt_seg_map`` and the background of ``gt_seg_map_aux`` are
    trusted; see :func:`~mmwsss.affinity.confident_label`. Put this transform after the crop; it
    removes the label maps.

    Args:
        stride: Pixels per cell of the network's grid, on each axis.

    Raises:
        ValueError: If the stride is below 1.
        UserInputError: When the crop is not a multiple of the stride, or there is no label map.
    """

    def __init__(self, stride: int = 4) -> None:
        if stride < 1:
            raise ValueError(f'Expected `stride` to be at least 1 pixel, got {stride}.')
        self.stride = stride

    def transform(self, results: dict) -> dict:
        """Replace the label maps by the labels of the cells."""
        if 'gt_seg_map' not in results:
            raise UserInputError(
                "Expected 'gt_seg_map' in the results: put LoadPseudoLabels before GridLabels."
            )
        labels = [grid_label(results.pop(key), self.stride) for key in _MAPS if key in results]
        results['seg_fields'] = [key for key in results['seg_fields'] if key not in _MAPS]
        results['affinity_label'] = labels[0] if len(labels) == 1 else confident_label(*labels)
        return results
