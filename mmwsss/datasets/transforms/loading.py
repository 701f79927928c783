"""Loads images, weak labels and pseudo labels."""

import logging
from typing import Literal

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log
from mmseg.datasets.transforms import LoadAnnotations as MMSegLoadAnnotations

from mmwsss.datasets.image_files import read_image, read_label_map
from mmwsss.datasets.true_masks import read_true_mask
from mmwsss.datasets.weak_labels import MIN_BOX_SIDE
from mmwsss.registry import TRANSFORMS
from mmwsss.structures import UserInputError


def background_mask_from_boxes(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Mark the pixels outside all boxes: ``mask[y1:y2, x1:x2] = 0``, else 1.

    Sides are rounded and a box covers at least one pixel, as for pseudo labels; see
    :func:`mmwsss.pseudo_labels.class_boxes.class_boxes`.

    Args:
        boxes: xyxy in pixels, within the image and with an area, (m, 4).
        shape: Height and width of the image.

    Returns:
        uint8 (H, W) of 0 and 1.

    Source: Oh et al., "Background-Aware Pooling and Noise-Aware Loss for Weakly-Supervised
    Semantic Segmentation", CVPR 2021. The authors published masks but not how they were made. For
    the integer boxes of VOC, this is the rule by which others reproduced them.
    """
    mask = np.ones(shape, dtype=np.uint8)
    first = np.rint(boxes[:, :2]).clip(max=(shape[1] - 1, shape[0] - 1))
    end = np.maximum(np.rint(boxes[:, 2:]), first + 1)
    for x1, y1, x2, y2 in np.hstack([first, end]).astype(np.int64):  # one memset per box
        mask[y1:y2, x1:x2] = 0
    return mask


def read_background_mask(path: str, shape: tuple[int, int]) -> np.ndarray:
    """Read a mask of 0 (perhaps an object) and 1 (background), uint8 (H, W).

    Args:
        path: 8-bit greyscale or palette PNG, such as those published by the authors of BANA.
        shape: Height and width of the image.

    Raises:
        UserInputError: The mask is damaged, has another size, or has other values.
    """
    mask = read_label_map(path)
    if mask.shape != shape:
        raise UserInputError(
            f'{path} is {mask.shape[0]}x{mask.shape[1]}, but its image is {shape[0]}x{shape[1]} '
            '(height x width). Use the masks that belong to these images.'
        )
    if mask.max(initial=0) > 1:
        raise UserInputError(
            f'{path} has the value {mask.max()}; expected 1 outside all boxes and 0 inside. Save '
            'the mask with these values.'
        )
    return mask


@TRANSFORMS.register_module(name=['LoadImage', 'LoadImageFromFile'])
class LoadImage(BaseTransform):
    """Load ``img_path`` as ``img``, BGR (H, W, 3); see :func:`read_image`.

    In this scope ``LoadImageFromFile`` is the same transform. mmseg's inferencers look for that
    name, and so read files just as training did.

    Args:
        to_float32: Whether to return float32 instead of uint8, so that resizing does not round.
        damaged: Whether to stop at an unreadable image (``'error'``), or skip it with a counted
            warning (``'skip'``). In training the data set then draws another image; evaluation
            always stops.
    """

    def __init__(
        self, *, to_float32: bool = False, damaged: Literal['error', 'skip'] = 'error'
    ) -> None:
        if damaged not in ('error', 'skip'):
            raise ValueError(f"Expected `damaged` to be 'error' or 'skip', got {damaged!r}.")
        self.to_float32 = to_float32
        self.damaged = damaged
        self._skipped: set[str] = set()

    def transform(self, results: dict) -> dict | None:
        """Add ``img``, ``img_shape`` and ``ori_shape``; None for an image to skip."""
        try:
            image = read_image(results['img_path'])
        except UserInputError as error:
            if self.damaged == 'error':
                raise
            if results['img_path'] not in self._skipped:
                self._skipped.add(results['img_path'])
                message = f'Skipped damaged image no. {len(self._skipped)} in this process: {error}'
                print_log(message, 'current', logging.WARNING)
            return None
        image = np.ascontiguousarray(image[..., ::-1])
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadWeakAnnotations(BaseTransform):
    """Load the boxes and background mask, or the tags, of an entry of the data list.

    Boxes become ``gt_bboxes`` float32 (m, 4), clipped to the image, and ``gt_bboxes_labels`` int64
    (m,), in annotation order; boxes with a side below 1 pixel are left out. They also give
    ``background_mask`` uint8 (H, W), 1 outside all boxes. It is read from ``background_mask_path``
    if the entry has one, with values 0 and 1. Tags become ``gt_label`` int64 (n,).

    Put this transform right after the one that loads the image. Later resizing, cropping and
    flipping convert the boxes to pixels of the network input, and the classifier maps them back
    when labels are made.

    Raises:
        ValueError: The image with boxes was already resized or flipped, or the entry has no label.
        UserInputError: A background mask is damaged, does not have the size of its image, or has
            other values.
    """

    def transform(self, results: dict) -> dict:
        """Add the weak labels."""
        if 'instances' in results:
            self._load_boxes(results)
        elif 'gt_label' in results:
            results['gt_label'] = np.array(results['gt_label'], dtype=np.int64)
        else:
            raise ValueError(
                "Expected an entry with 'instances' or 'gt_label'. Set supervision='box' or 'tag' "
                'in the data set, or leave LoadWeakAnnotations out.'
            )
        return results

    def _load_boxes(self, results: dict) -> None:
        height, width = results['ori_shape']
        img_shape = tuple(results.get('img_shape', (height, width)))
        if img_shape != (height, width) or results.get('flip', False):
            raise ValueError(
                f'Expected the image as it was loaded, {height}x{width}, got {img_shape[0]}x'
                f'{img_shape[1]}, flip={bool(results.get("flip", False))}: the boxes would not '
                'match it. Put LoadWeakAnnotations right after LoadImage.'
            )
        corners = [instance['bbox'] for instance in results['instances']]
        labels = [instance['bbox_label'] for instance in results['instances']]
        boxes = np.array(corners, dtype=np.float32).reshape(-1, 4)
        boxes = boxes.clip(0, np.array([width, height, width, height], dtype=np.float32))
        kept = (boxes[:, 2:] - boxes[:, :2] >= MIN_BOX_SIDE).all(axis=1)
        results['gt_bboxes'] = boxes[kept]
        results['gt_bboxes_labels'] = np.array(labels, dtype=np.int64)[kept]
        if 'background_mask_path' in results:
            mask = read_background_mask(results['background_mask_path'], (height, width))
        else:
            mask = background_mask_from_boxes(boxes[kept], (height, width))
        results['background_mask'] = mask
        results['seg_fields'].append('background_mask')


@TRANSFORMS.register_module()
class LoadAnnotations(MMSegLoadAnnotations):
    """Load the true mask as ``gt_seg_map``, in the classes of the data set; for evaluation.

    It shares its name with MMSegmentation's transform, because MMSegmentation's inferencers drop
    the transform of this name.

    Raises:
        UserInputError: There is no mask, or it is damaged, does not have the size of its image, or
            has values that are not classes; see :func:`~mmwsss.datasets.true_masks.read_true_mask`.
    """

    def __init__(self) -> None:
        super().__init__()

    def transform(self, results: dict) -> dict:
        """Add the true mask, uint8 (H, W)."""
        results['gt_seg_map'] = read_true_mask(results, image_shape=results['ori_shape'])
        results['seg_fields'].append('gt_seg_map')
        return results


@TRANSFORMS.register_module()
class LoadPseudoLabels(BaseTransform):
    """Load pseudo labels as ``gt_seg_map`` and, if there is a second one, ``gt_seg_map_aux``.

    The values are those of the classes in use, 0..K and 255, and are never mapped.

    Raises:
        UserInputError: A map is damaged, does not have the size of its image, or has other values.
    """

    def transform(self, results: dict) -> dict:
        """Add the label maps, uint8 (H, W)."""
        self._load(results, 'seg_map_path', 'gt_seg_map')
        if 'aux_seg_map_path' in results:
            self._load(results, 'aux_seg_map_path', 'gt_seg_map_aux')
        return results

    def _load(self, results: dict, path_key: str, key: str) -> None:
        if path_key not in results:
            raise UserInputError(
                f'Expected {path_key!r} in the entry: set `data_prefix.{path_key}` of the data set.'
            )
        path = results[path_key]
        try:
            label = read_label_map(path, num_classes=results['num_classes'])
        except UserInputError as error:
            raise UserInputError(
                f'{error} If a label stage made it, run that stage again: it makes only '
                'missing or damaged labels.'
            ) from error
        if label.shape != tuple(results['ori_shape']):
            raise UserInputError(
                f'{path} is {label.shape[0]}x{label.shape[1]}, but its image is '
                f'{results["ori_shape"][0]}x{results["ori_shape"][1]} (height x width). Make the '
                'pseudo labels again from the same images.'
            )
        results[key] = label
        results['seg_fields'].append(key)
