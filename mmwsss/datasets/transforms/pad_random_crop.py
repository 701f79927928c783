"""Symmetric padding and random crops that keep images, boxes and all label maps aligned."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmwsss.registry import TRANSFORMS
from mmwsss.structures import IGNORE_INDEX

# A crop's window over the padded image: top, left.
Offset = tuple[int, int]


def pad_symmetric(
    image: np.ndarray, size: tuple[int, int], value: Sequence[float] | float
) -> np.ndarray:
    """Pad *both* sides of a short axis by ``ceil((size - length) / 2)``.

    With an odd difference the result is one pixel longer than ``size``.

    Args:
        image: (H, W) or (H, W, C).
        size: Desired height and width.
        value: Value of the padding, one per channel or one for all.
    """
    pad_y, pad_x = padding(image.shape[:2], size)
    if pad_y == pad_x == 0:
        return image
    height, width = image.shape[:2]
    padded = np.empty((height + 2 * pad_y, width + 2 * pad_x, *image.shape[2:]), image.dtype)
    padded[...] = value
    padded[pad_y : pad_y + height, pad_x : pad_x + width] = image
    return padded


def padding(shape: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Rows above (and below) and columns left (and right) that :func:`pad_symmetric` adds."""
    pad_y, pad_x = (-((side - wanted) // 2) for side, wanted in zip(shape, size, strict=True))
    return max(pad_y, 0), max(pad_x, 0)


def clip_boxes(
    boxes: np.ndarray, size: tuple[int, int], *, min_size: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Clip boxes to a crop by the rule of the published method.

    A box is dropped if no pixel of it is in the crop, or if its visible part has no area or a side
    shorter than ``min_size``. Minimum sides below 0 become 0. Maximum sides beyond the crop become
    its size + 1, which marks a box that continues outside.

    Args:
        boxes: xyxy in pixels of the crop, (m, 4).
        size: Height and width of the crop.
        min_size: Shortest side to keep, in pixels.

    Returns:
        The remaining boxes, (k, 4), and which boxes were kept, bool (m,).

    Source: Oh et al., CVPR 2021, as published (no minimum size).
    """
    limit = np.array(size[::-1], dtype=boxes.dtype)  # width, height
    low, high = boxes[:, :2], boxes[:, 2:]
    low = low.clip(min=0)
    visible = np.minimum(high, limit) - low
    kept = ((visible > 0) & (visible >= min_size)).all(axis=1)
    high = np.where(high > limit, limit + 1, high)
    return np.concatenate([low, high], axis=1)[kept], kept


def field_padding(key: str) -> int:
    """Padding of a map in ``seg_fields``, "nothing known": 0 for masks and scores, else 255."""
    return 0 if key in ('background_mask', 'confident_scores') else IGNORE_INDEX


@TRANSFORMS.register_module()
class PadRandomCrop(BaseTransform):
    """Pad a small image on both sides, then crop at random.

    The offset of the crop is ``floor(u * (length - crop))`` with u from U[0, 1), so the last
    position is never drawn. See :func:`pad_symmetric` and :func:`clip_boxes`.
    ``background_mask`` is padded with 0 ("not known to be background"), label maps with 255.

    Args:
        crop_size: Height and width, or one length for both.
        pad_value: Value of padded image pixels, in the channel order of ``img`` (BGR).
        min_box_size: Boxes with a shorter visible side are dropped. 0 is the published rule, which
            keeps slivers.

    Source: Oh et al., CVPR 2021, published settings: crop 321, padding (123, 117, 104) in RGB.
    """

    def __init__(
        self,
        crop_size: int | tuple[int, int],
        *,
        pad_value: Sequence[float] = (104, 117, 123),
        min_box_size: float = 0.0,
    ) -> None:
        size = (crop_size, crop_size) if isinstance(crop_size, int) else tuple(crop_size)
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'Expected `crop_size` to be lengths >= 1, got {crop_size}.')
        self.crop_size = size
        self.pad_value = tuple(pad_value)
        self.min_box_size = min_box_size

    @cache_randomness
    def _draw(self, shape: tuple[int, int]) -> Offset:
        room = np.array(shape) - self.crop_size
        top, left = np.floor(np.random.rand(2) * room).astype(int)
        return int(top), int(left)

    def transform(self, results: dict) -> dict:
        """Pad and crop ``img`` and the maps; shift, clip and drop the boxes."""
        pad_y, pad_x = padding(results['img'].shape[:2], self.crop_size)
        results['img'] = pad_symmetric(results['img'], self.crop_size, self.pad_value)
        top, left = self._draw(results['img'].shape[:2])
        results['img'] = self._crop(results['img'], (top, left))
        for key in results.get('seg_fields', []):
            padded = pad_symmetric(results[key], self.crop_size, field_padding(key))
            results[key] = self._crop(padded, (top, left))
        if 'gt_bboxes' in results:
            shift = np.array([pad_x - left, pad_y - top] * 2, dtype=np.float32)
            results['gt_bboxes'], kept = clip_boxes(
                results['gt_bboxes'] + shift, self.crop_size, min_size=self.min_box_size
            )
            results['gt_bboxes_labels'] = results['gt_bboxes_labels'][kept]
        results['img_shape'] = results['img'].shape[:2]
        return results

    def _crop(self, image: np.ndarray, offset: Offset) -> np.ndarray:
        (top, left), (height, width) = offset, self.crop_size
        return image[top : top + height, left : left + width]
