"""Colour jitter in a fixed order."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from PIL import Image, ImageEnhance

from mmwsss.registry import TRANSFORMS

Range = tuple[float, float]
_ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


@TRANSFORMS.register_module()
class BrightnessContrastSaturation(BaseTransform):
    """Change brightness, then contrast, then saturation, each by its own factor from U(low, high).

    The image (BGR) is cast to uint8 first, which truncates the floats left by resizing. A factor of
    1 changes nothing; 0 gives a black, a mean-grey or a greyscale image, respectively.

    Args:
        brightness: Lowest and highest factor.
        contrast: Lowest and highest factor.
        saturation: Lowest and highest factor.

    Source: Oh et al., CVPR 2021, published settings: U(0.5, 1.5) each, always applied, no hue.
    """

    def __init__(
        self,
        *,
        brightness: Range = (0.5, 1.5),
        contrast: Range = (0.5, 1.5),
        saturation: Range = (0.5, 1.5),
    ) -> None:
        self.ranges = {'brightness': brightness, 'contrast': contrast, 'saturation': saturation}
        for name, (low, high) in self.ranges.items():
            if not 0 <= low <= high:
                raise ValueError(
                    f'Expected `{name}` to be (low, high) with 0 <= low <= high, got {(low, high)}.'
                )

    @cache_randomness
    def _draw(self) -> list[float]:
        return [np.random.uniform(low, high) for low, high in self.ranges.values()]

    def transform(self, results: dict) -> dict:
        """Change ``img``; the result is uint8."""
        rgb = np.ascontiguousarray(results['img'].astype(np.uint8)[..., ::-1])
        image = Image.fromarray(rgb)
        for enhancer, factor in zip(_ENHANCERS, self._draw(), strict=True):
            image = enhancer(image).enhance(factor)
        results['img'] = np.ascontiguousarray(np.asarray(image)[..., ::-1])
        return results
