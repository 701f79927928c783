import numpy as np
import pytest
from PIL import Image, ImageEnhance

from mmwsss.datasets.transforms import BrightnessContrastSaturation

SAME = (1.0, 1.0)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)


def test_factors_of_one_change_nothing(image):
    jitter = BrightnessContrastSaturation(brightness=SAME, contrast=SAME, saturation=SAME)
    assert (jitter.transform({'img': image})['img'] == image).all()


def test_floats_are_truncated_first():
    jitter = BrightnessContrastSaturation(brightness=SAME, contrast=SAME, saturation=SAME)
    results = jitter.transform({'img': np.full((2, 2, 3), 99.9, dtype=np.float32)})
    assert (results['img'] == 99).all()
    assert results['img'].dtype == np.uint8


def test_brightness_multiplies():
    jitter = BrightnessContrastSaturation(brightness=(0.5, 0.5), contrast=SAME, saturation=SAME)
    results = jitter.transform({'img': np.full((2, 2, 3), 100, dtype=np.uint8)})
    assert (results['img'] == 50).all()


def test_no_saturation_is_the_luma_of_rgb_not_of_bgr():
    jitter = BrightnessContrastSaturation(brightness=SAME, contrast=SAME, saturation=(0, 0))
    blue = np.zeros((1, 1, 3), dtype=np.uint8)
    blue[..., 0] = 100  # BGR
    assert jitter.transform({'img': blue})['img'].tolist() == [[[11, 11, 11]]]  # 0.114 * 100


def test_the_order_is_brightness_contrast_saturation(image, monkeypatch):
    factors = iter([0.7, 1.4, 0.6])
    monkeypatch.setattr(np.random, 'uniform', lambda *_: next(factors))
    result = BrightnessContrastSaturation().transform({'img': image})['img']
    expected = Image.fromarray(image[..., ::-1].copy())
    expected = ImageEnhance.Brightness(expected).enhance(0.7)
    expected = ImageEnhance.Contrast(expected).enhance(1.4)
    expected = ImageEnhance.Color(expected).enhance(0.6)
    assert (result[..., ::-1] == np.asarray(expected)).all()


def test_each_factor_has_its_own_range(monkeypatch):
    drawn = []
    monkeypatch.setattr(np.random, 'uniform', lambda low, high: drawn.append((low, high)) or 1.0)
    jitter = BrightnessContrastSaturation(contrast=(0.1, 0.2), saturation=(0.3, 0.4))
    jitter.transform({'img': np.zeros((2, 2, 3), dtype=np.uint8)})
    assert drawn == [(0.5, 1.5), (0.1, 0.2), (0.3, 0.4)]


def test_an_impossible_range_is_an_error():
    with pytest.raises(ValueError, match='contrast'):
        BrightnessContrastSaturation(contrast=(1.5, 0.5))
