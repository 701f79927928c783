"""Predict new images with a trained segmentor, label generator or classifier.

python tools/predict.py work_dirs/bana_shapes/segmentor.py photos/ --out-dir predictions
python tools/predict.py configs/segmentors/SEGMENTOR.py iter_20000.pth photo.jpg --tta
python tools/predict.py work_dirs/psa_shapes/walk.py 'photos/**/*.jpg'

A pipeline writes such configs, which name their checkpoints, to its work folder. With any other
config, the checkpoint comes after the config. Results are palette PNGs and pictures with the result
over the image. Results that already exist, from the same files with the same settings, are skipped.
Unreadable images are skipped and counted; the exit code is 0 if all others are written.
"""

import argparse

from mmwsss.apis.command_line import Overrides, load_stage_config, parse_arguments, run_tool
from mmwsss.apis.prediction import inferencer_of, predict_images
from mmwsss.structures import check_folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of a segmentor, a label stage or a classifier')
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='input',
        help='files, folders or patterns, after a checkpoint (.pth) unless the config names it',
    )
    parser.add_argument('--out-dir', default='predictions', help='folder for the results')
    parser.add_argument('--tta', action='store_true', help="use the config's tta_model")
    parser.add_argument(
        '--maps', action='store_true', help='write activation maps instead of labels'
    )
    parser.add_argument('--device', help='such as cuda:1 or cpu (default: a GPU if there is one)')
    parser.add_argument(
        '--data', help='description of your own data, on which a shipped config was trained'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=Overrides, default={}, help='overrides key=value'
    )
    args = parse_arguments(parser)
    check_folder('--out-dir', args.out_dir)
    config, _ = load_stage_config(args)
    has_weights = args.inputs[0].endswith('.pth')
    weights, *inputs = args.inputs if has_weights else (None, *args.inputs)
    inferencer = inferencer_of(config, weights, device=args.device, tta=args.tta, maps=args.maps)
    predict_images(inferencer, inputs, args.out_dir)


if __name__ == '__main__':
    run_tool(main)
