"""Shipped stages made tiny: a few small images of VOC, two iterations, random weights.

Whatever decides whether a stage runs and passes on its files is unchanged: networks, objectives,
transforms, label generators, hooks.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image, ImageDraw

from mmwsss.datasets import VOCWeakDataset
from mmwsss.registry import MODELS

ITERATIONS = 2
TRAIN = ('2007_000001', '2007_000002', '2007_000003')
VAL = ('2007_000004',)
# Size and objects; two images share no class, so that every image of a batch has a negative.
_IMAGES = {
    TRAIN[0]: ((64, 48), ('dog', 'person')),
    TRAIN[1]: ((48, 64), ('cat',)),
    TRAIN[2]: ((60, 44), ('car',)),
    VAL[0]: ((56, 56), ('dog', 'cat')),
}
# Options that let late or rare parts take part in two iterations.
_PARTS = {
    'StartObjectiveHook': dict(begin=1),
    'RegionCentroidsHook': dict(begin=1, interval=1),
    'AlternatingPhaseHook': dict(period=2, first=1),
}


def write_voc(root: Path) -> None:
    """Write images, boxes, masks, saliency maps and lists below `root`/VOCdevkit/VOC2012."""
    voc = root / 'VOCdevkit/VOC2012'
    lists = voc / 'ImageSets/Segmentation'
    for folder in ('JPEGImages', 'Annotations', 'SegmentationClass', 'saliency_map'):
        (voc / folder).mkdir(parents=True)
    lists.mkdir(parents=True)
    for name, (size, objects) in _IMAGES.items():
        _write_image(voc, name, size, objects)
    for name in ('train', 'train_aug', 'train_small'):
        (lists / f'{name}.txt').write_text('\n'.join(TRAIN) + '\n')
    (lists / 'val.txt').write_text('\n'.join(VAL) + '\n')


def _write_image(voc: Path, name: str, size: tuple[int, int], objects: tuple[str, ...]) -> None:
    """One rectangle per object, side by side."""
    width, height = size
    noise = np.random.default_rng(len(name)).integers(60, 120, (height, width, 3), dtype=np.uint8)
    image, mask, saliency = Image.fromarray(noise), Image.new('L', size), Image.new('L', size)
    text = ''
    for i, kind in enumerate(objects):
        index = VOCWeakDataset.METAINFO['classes'].index(kind)
        left = 4 + i * width // len(objects)
        box = (left, 8, left + width // len(objects) - 10, height - 8)
        color = tuple(VOCWeakDataset.METAINFO['palette'][index])
        for picture, fill in ((image, color), (mask, index), (saliency, 255)):
            ImageDraw.Draw(picture).rectangle(box, fill=fill)
        corners = zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
        bounds = ''.join(f'<{key}>{value}</{key}>' for key, value in corners)
        text += f'<object><name>{kind}</name><bndbox>{bounds}</bndbox></object>'
    image.save(voc / f'JPEGImages/{name}.jpg')
    mask.save(voc / f'SegmentationClass/{name}.png')
    saliency.save(voc / f'saliency_map/{name}.png')
    (voc / f'Annotations/{name}.xml').write_text(f'<annotation>{text}</annotation>')


def make_tiny(config: Config, *, task: str) -> None:
    """Shorten the training, shrink crops and batches, work in one process."""
    factor = 0.4 if 'MobileNet' in str(config.model) else 0.2
    is_voc = 'VOCdevkit' in str(config._cfg_dict)  # shapes are small
    for node in _dicts(config._cfg_dict):
        for key, value in _PARTS.get(str(node.get('type')), {}).items():
            node[key] = value
        if 'num_workers' in node or node.get('type') in ('PseudoLabelLoop', 'TrainingCAMsHook'):
            node['num_workers'] = 0
            node.pop('persistent_workers', None)
        for key in ('crop_size', 'scale', 'size') if is_voc else ():
            if isinstance(node.get(key), int | list | tuple):
                node[key] = _smaller(node[key], factor)
    if task == 'train':
        config.train_cfg.max_iters = ITERATIONS
        if 'val_interval' in config.train_cfg:
            config.train_cfg.val_interval = ITERATIONS
        if is_voc:
            config.train_dataloader.batch_size = 2
        config.default_hooks.checkpoint.save_optimizer = False


def give_random_weights(config: Config, folder: Path) -> None:
    """Let every part start from a file of random weights with its own shapes.

    Parts that name the same file share it, so it must fit all of them.
    """
    for node in _dicts(config._cfg_dict):
        if node.get('pretrained'):
            backbone = {k: v for k, v in node['backbone'].items() if k != 'init_cfg'}
            node['pretrained'] = _write_weights(node['pretrained'], backbone, folder)
        init = node.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            part = {key: value for key, value in node.items() if key != 'init_cfg'}
            init['checkpoint'] = _write_weights(init['checkpoint'], part, folder)


def _write_weights(name: str, part: dict, folder: Path) -> str:
    """Add the weights of a part that the file of this name lacks."""
    path = folder / name.rpartition('/')[2]
    weights = torch.load(path, weights_only=True) if path.exists() else {}
    torch.manual_seed(0)
    own = MODELS.build(part).state_dict()
    if not own.keys() <= weights.keys():
        torch.save(own | weights, path)
    return str(path)


def _dicts(node: Any) -> Iterator[dict]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from _dicts(child)


def _smaller(value: Any, factor: float) -> Any:
    """A multiple of 8, or one more if the side was odd."""
    if isinstance(value, list | tuple):
        return type(value)(_smaller(side, factor) for side in value)
    return max(8, round(value * factor / 8) * 8) + value % 2
