"""Measure how much of each image every class covers in a folder of label maps.

python tools/analysis_tools/estimate_proportions.py work_dirs/cam_voc/labels/crf \
    --out data/VOCdevkit/VOC2012/proportions.npz

The file is for `proportion_file` of a data set (Spatial-BCE). Labels are palette or greyscale PNGs
named after the image. Using true masks, whose values --mask-classes names, would be cheating, but
gives an upper bound.
"""

import argparse
from pathlib import Path

from rich.progress import track

from mmwsss.apis.command_line import run_tool
from mmwsss.apis.mask_arguments import add_class_arguments, mask_encoding
from mmwsss.evaluation import proportions_of_folder
from mmwsss.structures import UserInputError, write_proportions


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('labels', type=Path, help='folder of label maps')
    parser.add_argument('--out', type=Path, required=True, help='npz file to write')
    add_class_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.out.suffix != '.npz':
        raise UserInputError(f'--out {args.out}: expected a file name that ends in .npz.')
    pngs = args.labels.rglob('*.png')
    img_ids = sorted(str(path.relative_to(args.labels).with_suffix('')) for path in pngs)
    if not img_ids:
        raise UserInputError(f'{args.labels} contains no PNG. Name a folder of label maps.')
    foreground = args.classes[1:]
    progress = track(img_ids, description='label maps')
    values = proportions_of_folder(
        args.labels, progress, len(foreground), mask_values=mask_encoding(args).get('mask_values')
    )
    write_proportions(args.out, img_ids, values, foreground)
    print(f'{args.out}: {len(img_ids)} images, {len(foreground)} classes')


if __name__ == '__main__':
    run_tool(main)
