"""Random sizes that keep images, boxes and all label maps aligned."""

from collections.abc import Sequence
from typing import Literal

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmwsss.registry import TRANSFORMS


def rescale(results: dict, factor: float, *, interpolation: str = 'bilinear') -> dict:
    """Resize the image and scale its boxes; maps of ``seg_fields`` use the nearest neighbour.

    Sizes are rounded to the nearest pixel, at least 1. Boxes are multiplied by ``factor`` itself,
    not by the ratio of the rounded sizes. ``interpolation`` is ``'bilinear'`` (OpenCV) or
    ``'bicubic'`` (Pillow, whose filter widens when shrinking; OpenCV's does not).
    """
    height, width = results['img'].shape[:2]
    size = (max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1))
    backend = 'pillow' if interpolation == 'bicubic' else 'cv2'
    results['img'] = mmcv.imresize(
        results['img'], size, interpolation=interpolation, backend=backend
    )
    for key in results.get('seg_fields', []):
        results[key] = mmcv.imresize(results[key], size, interpolation='nearest')
    if 'gt_bboxes' in results:
        results['gt_bboxes'] = results['gt_bboxes'] * np.float32(factor)
    results['img_shape'] = results['img'].shape[:2]
    results['scale_factor'] = (factor, factor)
    results['keep_ratio'] = True
    return results


@TRANSFORMS.register_module()
class RandomBoxScale(BaseTransform):
    """Scale the image, its boxes and maps by a factor drawn from U(low, high), or from a set.

    Args:
        scale_range: Lowest and highest factor.
        factors: Equally likely factors to draw from, instead of a range.

    Raises:
        ValueError: A factor is not positive, or the range is invalid.

    Source: Oh et al., CVPR 2021, published settings: U(0.5, 1.5). A set: DeepLab-V2.
    """

    def __init__(
        self,
        *,
        scale_range: tuple[float, float] = (0.5, 1.5),
        factors: Sequence[float] | None = None,
    ) -> None:
        self.scale_range = _checked_range('scale_range', scale_range)
        if factors is not None and (not factors or min(factors) <= 0):
            raise ValueError(f'Expected `factors` to be positive numbers, got {factors}.')
        self.factors = factors

    @cache_randomness
    def _draw(self) -> float:
        if self.factors is not None:
            return float(np.random.choice(self.factors))
        return np.random.uniform(*self.scale_range)

    def transform(self, results: dict) -> dict:
        """Resize ``img``, ``gt_bboxes`` and the maps."""
        return rescale(results, self._draw())


@TRANSFORMS.register_module()
class RandomLongSide(BaseTransform):
    """Scale the longer side to ``size`` times a ratio drawn from U(low, high).

    Args:
        size: Length in pixels at ratio 1, such as the crop size.
        ratio_range: Lowest and highest ratio. ``size=512, ratio_range=(0.5, 1.0)`` gives 256-512.
        interpolation: ``'bilinear'`` or ``'bicubic'``, see :func:`rescale`.
    """

    def __init__(
        self,
        size: int,
        *,
        ratio_range: tuple[float, float] = (0.6, 1.5),
        interpolation: Literal['bilinear', 'bicubic'] = 'bilinear',
    ) -> None:
        if interpolation not in ('bilinear', 'bicubic'):
            raise ValueError(
                f"Expected `interpolation` to be 'bilinear' or 'bicubic', got {interpolation!r}."
            )
        if size < 1:
            raise ValueError(f'Expected `size` to be at least 1 pixel, got {size}.')
        self.size = size
        self.ratio_range = _checked_range('ratio_range', ratio_range)
        self.interpolation = interpolation

    @cache_randomness
    def _draw(self) -> float:
        return np.random.uniform(*self.ratio_range)

    def transform(self, results: dict) -> dict:
        """Resize ``img``, ``gt_bboxes`` and the maps."""
        factor = self._draw() * self.size / max(results['img'].shape[:2])
        return rescale(results, factor, interpolation=self.interpolation)


def _checked_range(name: str, bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    if not 0 < low <= high:
        raise ValueError(f'Expected `{name}` to be (low, high) with 0 < low <= high, got {bounds}.')
    return low, high
