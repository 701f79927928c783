"""Evaluate a single stage: a checkpoint, or files that do not need one.

python tools/test.py configs/bana/SEGMENTOR.py work_dirs/bana_voc/segmentor/iter_23805.pth --tta
"""

import argparse

from mmengine.dist import is_main_process

from mmwsss.apis.command_line import (
    add_amp_argument,
    add_common_arguments,
    check_measured,
    load_stage_config,
    parse_arguments,
    print_metrics,
    run_tool,
    use_amp,
    work_dir_of,
)
from mmwsss.engine.checks.preflight import preflight
from mmwsss.engine.pipeline.stage import run_stage


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_arguments(parser)
    parser.add_argument('checkpoint', nargs='?', help='checkpoint; only if the model has weights')
    parser.add_argument('--tta', action='store_true', help="use the config's tta_model")
    add_amp_argument(parser)
    args = parse_arguments(parser)
    config, unmeasured = load_stage_config(args)
    check_measured(unmeasured)
    if args.checkpoint:
        config.load_from = args.checkpoint
    if args.amp:
        use_amp(config, 'test')
    work_dir = work_dir_of(args)
    preflight('test', config, task='test', tta=args.tta)
    result = run_stage(config, work_dir, task='test', tta=args.tta, launcher=args.launcher)
    if is_main_process():
        print_metrics(result.metrics)


if __name__ == '__main__':
    run_tool(main)
