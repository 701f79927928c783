"""Compare a folder of label maps with true masks, and with a second folder.

python tools/analysis_tools/evaluate_labels.py work_dirs/bana_voc/labels/Y_crf \
    --split data/VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt \
    --masks data/VOCdevkit/VOC2012/SegmentationClass

Labels and masks are palette or greyscale PNGs named after the image. Labels with only some classes
of VOC need --classes and, for the values of the masks, --mask-classes.
"""

import argparse
from pathlib import Path

import numpy as np

from mmwsss.apis.command_line import run_tool
from mmwsss.apis.mask_arguments import add_class_arguments, mask_encoding
from mmwsss.datasets.annotations import read_image_ids, read_voc_xml
from mmwsss.evaluation import evaluate_label_folder, label_agreement
from mmwsss.structures import UserInputError, write_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('labels', type=Path, help='folder of label maps')
    parser.add_argument('--split', type=Path, required=True, help='list of image ids, one per line')
    parser.add_argument('--masks', type=Path, required=True, help='folder of true masks')
    parser.add_argument('--second', type=Path, help='folder of other label maps of the same images')
    parser.add_argument('--boxes', type=Path, help='folder of VOC XML: measure agreement in boxes')
    add_class_arguments(parser)
    parser.add_argument('--json', type=Path, help='file to write the figures to')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.boxes and not args.second:
        raise UserInputError('--boxes measures the agreement with a second folder. Add --second.')
    img_ids = read_image_ids(args.split)
    encoding = mask_encoding(args)
    masks = {i: {'seg_map_path': args.masks / f'{i}.png', **encoding} for i in img_ids}
    options = dict(classes=args.classes, split=str(args.split))
    figures = {}
    for folder in filter(None, (args.labels, args.second)):
        quality = evaluate_label_folder(folder, masks, **options)
        print(f'\n{folder}\n{quality}')
        figures[str(folder)] = quality.metrics
    if args.second:
        boxes = read_boxes(args.boxes, img_ids) if args.boxes else None
        agreement = label_agreement(args.labels, args.second, img_ids, boxes=boxes)
        quality = evaluate_label_folder(args.labels, masks, second_label_dir=args.second, **options)
        print(f'\n{agreement}; mIoU on all agreeing pixels {quality.metrics["mIoU"]:.2f}')
        figures['agreement'] = {'share': agreement.share, **quality.metrics}
    if args.json:
        write_json(args.json, figures)


def read_boxes(folder: Path, img_ids: list[str]) -> dict[str, np.ndarray]:
    """Read the boxes of every image; an image without an XML file has none."""
    boxes = {}
    for img_id in img_ids:
        annotation = read_voc_xml(folder / f'{img_id}.xml')
        objects = annotation.objects if annotation else []
        found = [one.box for one in objects if one.box is not None]
        boxes[img_id] = np.asarray(found, dtype=float).reshape(-1, 4)
    return boxes


if __name__ == '__main__':
    run_tool(main)
