"""Random crop that puts a small image at a random position in the crop."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmwsss.datasets.transforms.pad_random_crop import clip_boxes, field_padding
from mmwsss.registry import TRANSFORMS


def place(
    image: np.ndarray,
    size: tuple[int, int],
    shift: tuple[int, int],
    value: Sequence[float] | float,
) -> np.ndarray:
    """Place an image on a canvas of ``size`` filled with ``value``, and cut off what sticks out.

    Args:
        image: (H, W) or (H, W, C).
        size: Height and width of the canvas.
        shift: Row and column of the canvas where the image's first pixel goes; negative to crop.
        value: Value of the canvas, one per channel or one for all. If it is not a whole number, the
            canvas is float32, so that padding with a mean colour becomes 0 after normalisation.

    Returns:
        Canvas, ``(*size)`` or ``(*size, C)``.
    """
    span = [
        (max(0, -by), min(length, wanted - by))
        for by, length, wanted in zip(shift, image.shape, size, strict=False)
    ]
    (top, bottom), (left, right) = span
    visible = image[top:bottom, left:right]
    if visible.shape[:2] == tuple(size):
        return visible
    whole = np.all(np.equal(np.mod(value, 1), 0))
    canvas = np.empty((*size, *image.shape[2:]), image.dtype if whole else np.float32)
    canvas[...] = value
    row, column = max(0, shift[0]), max(0, shift[1])
    canvas[row : row + visible.shape[0], column : column + visible.shape[1]] = visible
    return canvas


@TRANSFORMS.register_module()
class PlaceRandomCrop(BaseTransform):
    """Crop a long side at random, and place a short side at random.

    All offsets are equally likely, independently on each axis. Boxes are clipped as in
    :func:`~mmwsss.datasets.transforms.pad_random_crop.clip_boxes`. ``background_mask`` and
    ``confident_scores`` are padded with 0 ("nothing known"), label maps with 255.

    Args:
        crop_size: Height and width, or one length for both.
        pad_value: Value of padded pixels, in the channel order of ``img`` (BGR). The default is the
            mean colour of ImageNet.

    Source: Ahn and Kwak, "Learning Pixel-level Semantic Affinity", CVPR 2018, as published (which
    pads with the mean colour for the classifier and with black for the affinity network).
    """

    def __init__(
        self,
        crop_size: int | tuple[int, int],
        *,
        pad_value: Sequence[float] = (103.53, 116.28, 123.675),
    ) -> None:
        size = (crop_size, crop_size) if isinstance(crop_size, int) else tuple(crop_size)
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'Expected `crop_size` to be lengths >= 1, got {crop_size}.')
        self.crop_size = size
        self.pad_value = tuple(pad_value)

    @cache_randomness
    def _draw(self, shape: tuple[int, int]) -> tuple[int, int]:
        rooms = [wanted - length for length, wanted in zip(shape, self.crop_size, strict=True)]
        row, column = (int(np.random.randint(min(r, 0), max(r, 0) + 1)) for r in rooms)
        return row, column

    def transform(self, results: dict) -> dict:
        """Move ``img`` and the maps; shift, clip and drop the boxes."""
        shift = self._draw(results['img'].shape[:2])
        results['img'] = place(results['img'], self.crop_size, shift, self.pad_value)
        for key in results.get('seg_fields', []):
            results[key] = place(results[key], self.crop_size, shift, field_padding(key))
        if 'gt_bboxes' in results:
            moved = results['gt_bboxes'] + np.array([shift[1], shift[0]] * 2, dtype=np.float32)
            results['gt_bboxes'], kept = clip_boxes(moved, self.crop_size)
            results['gt_bboxes_labels'] = results['gt_bboxes_labels'][kept]
        results['img_shape'] = results['img'].shape[:2]
        return results
