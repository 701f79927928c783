"""A small synthetic data set in the layout of PASCAL VOC, for demos and tests.

Coloured discs, triangles, crosses and rings on textured backgrounds. Boxes are tight, but the
shapes fill only about half of them, so that filled boxes are clearly wrong masks.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from mmwsss.datasets.voc import VOCWeakDataset
from mmwsss.registry import DATASETS
from mmwsss.structures import BACKGROUND, to_seg_label

CLASSES = ('disc', 'triangle', 'cross', 'ring')
# One hue per class, with a lot of variation; backgrounds are dull.
_COLORS = np.array([[200, 70, 60], [70, 160, 70], [80, 90, 200], [210, 180, 60]], dtype=np.float64)
_MAX_OBJECTS = 4
_MAX_HIDDEN = 0.35  # largest part of an object that the others may hide


class ShapesSample(NamedTuple):
    """One image: uint8 RGB (H, W, 3), boxes xyxy (m, 4), labels 0..3 (m,), mask uint8 (H, W)."""

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    mask: np.ndarray


@DATASETS.register_module()
class ShapesWeakDataset(VOCWeakDataset):
    """The synthetic shapes written by ``tools/dataset_converters/make_shapes.py``."""

    METAINFO = {  # noqa: RUF012  (the form of the library's class)
        'classes': ('background', *CLASSES),
        'palette': [[0, 0, 0], [200, 70, 60], [70, 160, 70], [80, 90, 200], [210, 180, 60]],
    }


def make_sample(seed: int | tuple[int, ...], size: int) -> ShapesSample:
    """Draw one image with one to four overlapping objects.

    A box is tight around the visible part of its object: ``mask[y1:y2, x1:x2]`` just contains it.

    Args:
        seed: Seed of everything random in the image.
        size: Side of the image, at least 32 pixels.

    Raises:
        ValueError: ``size`` is too small for the shapes to be told apart.
    """
    if size < 32:
        raise ValueError(f'Expected `size` to be at least 32 pixels, got {size}.')
    rng = np.random.default_rng(seed)
    image = _background(rng, size)
    owner = np.zeros((size, size), dtype=np.int64)  # 0 or the number of the object seen there
    areas, labels = [0], []
    wanted = rng.integers(1, _MAX_OBJECTS + 1)
    for _ in range(8 * _MAX_OBJECTS):
        label = int(rng.integers(len(CLASSES)))
        shape = _shape(rng, label, size)
        seen = np.bincount(owner[~shape], minlength=len(areas))[1:]  # (objects so far,)
        if (seen < (1 - _MAX_HIDDEN) * np.array(areas[1:])).any():
            continue
        owner[shape] = len(areas)
        areas.append(int(shape.sum()))
        labels.append(label)
        image = np.where(shape[..., None], _texture(rng, _COLORS[label], size), image)
        if len(labels) == wanted:
            break
    image = image + rng.normal(0, 6, image.shape)
    return _finish(image, owner, np.array(labels))


def _finish(image: np.ndarray, owner: np.ndarray, labels: np.ndarray) -> ShapesSample:
    boxes = []
    for number in range(1, len(labels) + 1):
        ys, xs = np.nonzero(owner == number)
        boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    values = np.concatenate([[BACKGROUND], to_seg_label(labels)]).astype(np.uint8)
    image = image.clip(0, 255).astype(np.uint8)
    return ShapesSample(image, np.array(boxes), labels, values[owner])


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A dull colour with blotches and stripes, float (H, W, 3)."""
    image = _texture(rng, rng.uniform(70, 170) + rng.uniform(-12, 12, 3), size)
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 20)
    ys, xs = np.mgrid[:size, :size]
    stripes = np.sin(2 * np.pi * (xs * np.cos(angle) + ys * np.sin(angle)) / period)
    return image + rng.uniform(0, 18) * stripes[..., None]


def _texture(rng: np.random.Generator, color: np.ndarray, size: int) -> np.ndarray:
    """A jittered colour with smooth blotches, float (H, W, 3)."""
    coarse = Image.fromarray(rng.normal(0, 1, (8, 8)).astype(np.float32))
    blotches = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
    return color + rng.uniform(-30, 30, 3) + rng.uniform(8, 22) * blotches[..., None]


def _shape(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """Pixels of a shape with random position, size and rotation, bool (H, W)."""
    radius = rng.uniform(0.14, 0.27) * size
    center = rng.uniform(radius, size - radius, 2)
    angle = rng.uniform(-np.pi / 8, np.pi / 8)
    ys, xs = np.mgrid[:size, :size] + 0.5
    dy, dx = (ys - center[0]) / radius, (xs - center[1]) / radius
    u, v = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    distance = np.hypot(u, v)
    if CLASSES[label] == 'disc':
        return distance < 1
    if CLASSES[label] == 'ring':
        return (distance < 1) & (distance > 0.6)
    if CLASSES[label] == 'cross':
        return (np.minimum(abs(u), abs(v)) < 0.28) & (np.maximum(abs(u), abs(v)) < 0.95)
    return (v < 0.5) & (v > np.sqrt(3) * abs(u) - 1)  # an equilateral triangle in the unit circle
