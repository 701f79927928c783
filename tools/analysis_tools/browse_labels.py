"""Draw images next to label maps from one or more folders, as one PNG.

python tools/analysis_tools/browse_labels.py data/VOCdevkit/VOC2012/JPEGImages \
    work_dirs/bana_voc/labels/Y_crf --masks data/VOCdevkit/VOC2012/SegmentationClass --out sheet.png
"""

import argparse
import random
from itertools import chain
from pathlib import Path

import numpy as np

from mmwsss.apis.command_line import run_tool
from mmwsss.apis.mask_arguments import add_class_arguments, mask_encoding
from mmwsss.datasets.annotations import read_image_ids
from mmwsss.datasets.image_files import read_image, read_label_map
from mmwsss.datasets.palette import class_colors
from mmwsss.datasets.true_masks import read_true_mask
from mmwsss.structures import UserInputError
from mmwsss.visualization import caption_of, contact_sheet, flat_label, label_pair


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('images', type=Path, help='folder of images')
    parser.add_argument('labels', type=Path, nargs='+', help='folders of label maps')
    parser.add_argument('--masks', type=Path, help='folder of true masks')
    add_class_arguments(parser)
    parser.add_argument(
        '--split', type=Path, help='list of image ids (default: those of the labels)'
    )
    parser.add_argument('--count', type=int, default=12, help='number of images')
    parser.add_argument(
        '--seed', type=int, help='choose images at random (default: the first ones)'
    )
    parser.add_argument('--suffix', default='.jpg', help='suffix of the images')
    parser.add_argument('--out', type=Path, default=Path('labels.png'), help='PNG to write')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    palette, encoding = class_colors(len(args.classes)), mask_encoding(args)
    rows, captions = [], []
    for img_id in choose(args):
        image = read_image(args.images / f'{img_id}{args.suffix}')
        files = [folder / f'{img_id}.png' for folder in args.labels]
        labels = [read_label(image, file, len(args.classes) - 1) for file in files]
        masks = []
        if args.masks:
            entry = {'seg_map_path': args.masks / f'{img_id}.png', **encoding}
            masks = [read_true_mask(entry, image_shape=image.shape[:2])]
        pairs = (label_pair(image, label, palette) for label in labels)
        rows.append([image, *chain(*pairs), *(flat_label(mask, palette) for mask in masks)])
        captions.append(caption_of(img_id, [*labels, *masks], args.classes, palette))
    titles = ['image', *chain(*((folder.name, '') for folder in args.labels))]
    titles += ['truth'] * bool(args.masks)
    print(contact_sheet(rows, titles, args.out, captions=captions))


def choose(args: argparse.Namespace) -> list[str]:
    """Pick the images to draw."""
    if args.split:
        img_ids = read_image_ids(args.split)
    else:
        folder = args.labels[0]
        img_ids = sorted(str(p.relative_to(folder).with_suffix('')) for p in folder.rglob('*.png'))
    if not img_ids:
        raise UserInputError(f'{args.labels[0]} contains no PNG. Name a folder of label maps.')
    if args.seed is not None:
        random.Random(args.seed).shuffle(img_ids)
    return img_ids[: args.count]


def read_label(image: np.ndarray, path: Path, num_classes: int) -> np.ndarray:
    """Read a label map of an image."""
    label = read_label_map(path, num_classes=num_classes)
    if label.shape != image.shape[:2]:
        raise UserInputError(
            f'{path} has size {label.shape}, but its image {image.shape[:2]}. Use '
            'labels of the same size.'
        )
    return label


if __name__ == '__main__':
    run_tool(main)
