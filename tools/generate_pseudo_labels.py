"""Write the pseudo labels of a split with a trained classifier.

python tools/generate_pseudo_labels.py configs/bana/bana_vgg16_voc12-321x321.py \
    work_dirs/bana_voc/classifier/iter_8000.pth --out-dir data/labels

The folder holds manifest.json and one subfolder of palette PNGs per label name. Images that were
already labelled from the same files with the same settings are skipped, as are manually corrected
labels.
"""

import argparse

from mmengine.dist import is_main_process

from mmwsss.apis.command_line import (
    add_amp_argument,
    add_common_arguments,
    load_stage_config,
    parse_arguments,
    print_metrics,
    run_tool,
    use_amp,
    work_dir_of,
)
from mmwsss.engine.checks.preflight import preflight
from mmwsss.engine.pipeline.stage import run_stage
from mmwsss.registry import type_name
from mmwsss.structures import UserInputError, check_folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_arguments(parser)
    parser.add_argument('checkpoint', nargs='?', help='checkpoint of the classifier')
    parser.add_argument('--out-dir', help='folder for the labels (default: <work dir>/labels)')
    parser.add_argument(
        '--overwrite', action='store_true', help='also replace manually corrected labels'
    )
    parser.add_argument('--tta', action='store_true', help="use the config's tta_model")
    add_amp_argument(parser)
    args = parse_arguments(parser)
    config, _ = load_stage_config(args)
    if type_name(config.get('test_cfg') or {}) != 'PseudoLabelLoop':
        raise UserInputError(
            f'{args.config}: test_cfg is not a PseudoLabelLoop, so this config makes no labels. '
            'Use a config that does, such as those in configs/bana and configs/cam.'
        )
    if args.checkpoint:
        config.load_from = args.checkpoint
    if args.out_dir:
        check_folder('--out-dir', args.out_dir)
        config.test_cfg.out_dir = args.out_dir
    if args.overwrite:
        config.test_cfg.overwrite = True
    if args.amp:
        use_amp(config, 'test')
    work_dir = work_dir_of(args)
    preflight('labels', config, task='test', tta=args.tta)
    result = run_stage(config, work_dir, task='test', tta=args.tta, launcher=args.launcher)
    if is_main_process():
        for name, folder in result.outputs.items():
            print(f'{name}: {folder}')
        print_metrics(result.metrics)


if __name__ == '__main__':
    run_tool(main)
