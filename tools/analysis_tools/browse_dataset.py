"""Look at data before training: counts, and augmented inputs with their labels.

python tools/analysis_tools/browse_dataset.py --data my_data.py
python tools/analysis_tools/browse_dataset.py configs/bana_voc.py --out bana.png

The inputs come from the training pipeline of the config or, if it has stages, of its first training
stage. Without a config, the inputs are those of the small CAM configs, 320 px crops.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmengine.structures import InstanceData
from mmseg.structures import SegDataSample
from prettytable import PrettyTable

from mmwsss.apis.command_line import Overrides, load_stage_config, run_tool
from mmwsss.datasets.description import DataDescription
from mmwsss.datasets.image_files import read_image, read_image_size
from mmwsss.engine.config.data import read_data
from mmwsss.engine.config.files import read_config
from mmwsss.engine.pipeline.stages import is_pipeline, load_stages
from mmwsss.registry import DATASETS
from mmwsss.structures import UserInputError
from mmwsss.visualization import caption_of, contact_sheet, draw_boxes, draw_tags, overlay

CONFIG = Path(__file__).parents[2] / 'configs/cam/cam_mobilenet-v2_voc12-mini-320x320.py'
_MEASURED = 500  # images whose size is read, as they may be on a slow disk
_PAIRS = 10
_NAMED = 20  # images without a label
_CELL = (320, 320)  # large enough to read the text on common inputs


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='?', help='config of a pipeline or training stage')
    parser.add_argument('--data', help='config that describes your own data, data = dict(...)')
    parser.add_argument('--cfg-options', nargs='+', action=Overrides, default={}, help='overrides')
    parser.add_argument('--count', type=int, default=8, help='number of images on the sheet')
    parser.add_argument('--views', type=int, default=3, help='inputs to make from each image')
    parser.add_argument(
        '--seed', type=int, default=0, help='seed for choosing and augmenting images'
    )
    parser.add_argument('--out', type=Path, default=Path('dataset.png'), help='PNG to write')
    args = parser.parse_args(arguments)
    if not args.config and not args.data:
        parser.error('give a config, --data, or both')
    if args.count < 1 or args.views < 1:
        parser.error('--count and --views must be at least 1')
    boxes = False
    if args.data:
        data = DataDescription.from_dict(read_data(args.data))
        boxes = data.labels().has_boxes
        print(describe(data))
    dataset = build_dataset(load_training(args, boxes=boxes))
    for text in summarize(dataset):
        print(text)
    print(draw_inputs(dataset, args))


def load_training(args: argparse.Namespace, *, boxes: bool) -> Config:
    """Return the config of the training stage to draw; by default one for boxes or tags."""
    if args.config is None:
        args.config = str(CONFIG)
        config, _ = load_stage_config(args)
        config.train_dataloader.dataset.supervision = 'box' if boxes else 'tag'
        return config
    if not is_pipeline(config := read_config(args.config)):
        return load_stage_config(args)[0]
    stages = load_stages(config, args.cfg_options, data=read_data(args.data) if args.data else None)
    return next((stage.config for stage in stages if stage.task == 'train'), stages[0].config)


def build_dataset(config: Config) -> BaseDataset:
    """Build the training data set of a config."""
    if not config.get('train_dataloader'):
        raise UserInputError(
            f'{config.filename} has no training. Name the config of a training stage.'
        )
    init_default_scope('mmwsss')
    return DATASETS.build(config.train_dataloader.dataset)


def describe(data: DataDescription) -> str:
    """Describe what own data include and what is missing."""
    labelled, images = data.labels().objects, data.image_files
    unlabelled = [img_id for img_id in images if img_id not in labelled]
    more = ', ...' if len(unlabelled) > _NAMED else ''
    named = f': {", ".join(unlabelled[:_NAMED])}{more}' if unlabelled else ''
    masks = sum(data.true_mask(img_id) is not None for img_id in images)
    val = 'no list' if data.val is None else f'{len(data.split("val"))} images'
    return (
        f'{data.images}: {len(images)} images\n'
        f'labels ({"boxes" if data.labels().has_boxes else "tags"}): {len(labelled)} images, '
        f'{len(unlabelled)} have none{named}\n'
        f'train: {len(data.split("train"))} images, val: {val}, true masks: {masks} images'
    )


def summarize(dataset: BaseDataset) -> Iterator[str]:
    """Count images, tags, boxes and pairs of classes, and measure images and boxes."""
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    classes = dataset.metainfo['classes'][1:]
    labels = [_labels(info) for info in infos]
    present = np.zeros((len(infos), len(classes)), dtype=int)
    for row, found in zip(present, labels, strict=True):
        row[sorted(set(found))] = 1
    has_boxes = any('instances' in info for info in infos)
    boxes = np.bincount(np.concatenate([[], *labels]).astype(int), minlength=len(classes))
    table = PrettyTable(['class', 'images', *(['boxes'] if has_boxes else [])], align='l')
    for name, images, count in zip(classes, present.sum(axis=0), boxes, strict=True):
        table.add_row([name, images, *([count] if has_boxes else [])])
    yield f'training images: {len(infos)}, {(present.sum(axis=1) == 0).sum()} without a class'
    yield f'classes per image: {present.sum(axis=1).mean():.2f} on average\n{table}'
    yield f'most often together: {_pairs(present, classes)}'
    yield _image_sizes(infos)
    if has_boxes:
        yield _box_sizes(infos)


def _labels(info: dict) -> list[int]:
    if 'instances' in info:
        return [one['bbox_label'] for one in info['instances']]
    return list(info.get('gt_label', []))


def _pairs(present: np.ndarray, classes: Sequence[str]) -> str:
    """Name the pairs of classes that occur in the most images."""
    together = np.triu(present.T @ present, k=1)
    order = np.argsort(-together, axis=None, kind='stable')[:_PAIRS]
    pairs = [
        (int(i), int(j)) for i, j in zip(*np.unravel_index(order, together.shape), strict=True)
    ]
    named = [
        f'{classes[i]} and {classes[j]} ({together[i, j]})' for i, j in pairs if together[i, j]
    ]
    return ', '.join(named) or 'no two classes'


def _image_sizes(infos: Sequence[dict]) -> str:
    picks = np.linspace(0, len(infos) - 1, min(_MEASURED, len(infos))).round().astype(int)
    sizes = np.array([read_image_size(infos[index]['img_path']) for index in picks])
    height, width = sizes.T
    of = '' if len(picks) == len(infos) else f' of {len(picks)} of them'
    return f'size of images{of}: width {_spread(width)}, height {_spread(height)}'


def _box_sizes(infos: Sequence[dict]) -> str:
    boxes = np.array([one['bbox'] for info in infos for one in info['instances']]).reshape(-1, 4)
    if not len(boxes):
        return 'size of boxes: there are none'
    sides = boxes[:, 2:] - boxes[:, :2]
    return f'size of boxes: width {_spread(sides[:, 0])}, height {_spread(sides[:, 1])}'


def _spread(values: np.ndarray) -> str:
    return f'{values.min():.0f} to {values.max():.0f} (median {np.median(values):.0f})'


def draw_inputs(dataset: BaseDataset, args: argparse.Namespace) -> Path:
    """Draw images with their weak labels next to inputs of the training."""
    set_random_seed(args.seed)
    count = min(args.count, len(dataset))
    picks = sorted(np.random.permutation(len(dataset))[:count].tolist())
    rows, captions = [], []
    classes, palette = dataset.metainfo['classes'], dataset.metainfo['palette']
    for index in picks:
        info = dataset.get_data_info(index)
        image = _with_labels(read_image(info['img_path']), info, dataset.metainfo)
        rows.append([image, *(_input(dataset[index], dataset.metainfo) for _ in range(args.views))])
        captions.append(caption_of(_id(info), [], classes, palette, tags=_labels(info)))
    titles = [f'input {number}' for number in range(1, args.views + 1)]
    return contact_sheet(rows, ['image', *titles], args.out, cell_size=_CELL, captions=captions)


def _id(info: dict) -> str:
    return info.get('img_id', Path(info['img_path']).stem)


def _with_labels(image: np.ndarray, info: dict, metainfo: dict) -> np.ndarray:
    sample = SegDataSample()
    if 'instances' in info:
        boxes = np.array([one['bbox'] for one in info['instances']], dtype=float).reshape(-1, 4)
        sample.gt_instances = InstanceData(bboxes=boxes, labels=np.array(_labels(info), dtype=int))
    elif 'gt_label' in info:
        sample.gt_label = np.array(_labels(info), dtype=int)
    return _draw(image, sample, metainfo)


def _input(packed: dict, metainfo: dict) -> np.ndarray:
    """Draw the input of the network; of several views, only the first."""
    inputs, sample = packed['inputs'], packed['data_samples']
    inputs = inputs[0] if isinstance(inputs, list) else inputs
    sample = sample[0] if isinstance(sample, list) else sample
    bgr = inputs.numpy().clip(0, 255).astype(np.uint8)  # (3, H, W)
    return _draw(np.ascontiguousarray(bgr[::-1].transpose(1, 2, 0)), sample, metainfo)


def _draw(image: np.ndarray, sample: SegDataSample, metainfo: dict) -> np.ndarray:
    """Draw pseudo labels and boxes or tags of a sample over its image."""
    classes, palette = metainfo['classes'][1:], metainfo['palette'][1:]
    if 'gt_sem_seg' in sample:
        labels = sample.gt_sem_seg.data[0].numpy().astype(np.uint8)
        image = overlay(image, labels, metainfo['palette'])
    if 'gt_instances' in sample:
        found = sample.gt_instances.labels.tolist()
        names, colors = [classes[i] for i in found], [palette[i] for i in found]
        return draw_boxes(image, np.asarray(sample.gt_instances.bboxes), colors, names=names)
    if 'gt_label' in sample:
        return draw_tags(image, [classes[i] for i in sample.gt_label.tolist()])
    return image


if __name__ == '__main__':
    run_tool(main)
