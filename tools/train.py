"""Run a pipeline, or train a single stage.

python tools/train.py configs/bana_voc.py
python tools/train.py configs/bana_voc.py --stages labels,segmentor --resume
python tools/train.py configs/bana/bana_vgg16_voc12-321x321.py --work-dir work_dirs/classifier
python tools/train.py configs/psa_mobilenet-v2_voc.py --data my_data.py
"""

import argparse
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from mmwsss.apis.command_line import (
    add_amp_argument,
    add_common_arguments,
    check_measured,
    load_stage_config,
    parse_arguments,
    run_tool,
    use_amp,
    work_dir_of,
)
from mmwsss.engine.checks.preflight import preflight
from mmwsss.engine.config.data import read_data
from mmwsss.engine.config.files import read_config
from mmwsss.engine.cores import free_cores
from mmwsss.engine.pipeline.label_reports import report_labels
from mmwsss.engine.pipeline.pictures import draw_results
from mmwsss.engine.pipeline.prediction_configs import write_prediction_configs
from mmwsss.engine.pipeline.report import write_report
from mmwsss.engine.pipeline.run import run_pipeline
from mmwsss.engine.pipeline.stage_run import run_single
from mmwsss.engine.pipeline.stages import Stage, is_pipeline, load_stages
from mmwsss.engine.state.stage_state import StageResult
from mmwsss.structures import UserInputError


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_arguments(parser)
    parser.add_argument('--resume', action='store_true', help='go on from the last checkpoint')
    add_amp_argument(parser)
    parser.add_argument(
        '--compile',
        action='store_true',
        help='torch.compile the backbone; its options by --cfg-options compile.<option>=...',
    )
    parser.add_argument('--stages', help='comma-separated names of the stages to run')
    parser.add_argument(
        '--overwrite', action='store_true', help='also replace labels that were corrected by hand'
    )
    parser.add_argument(
        '--delete-scores',
        action='store_true',
        help='delete kept scores once all stages that take them are finished',
    )
    args = parse_arguments(parser)

    config = read_config(args.config)
    work_dir = work_dir_of(args)
    if is_pipeline(config):
        _run_pipeline(config, args, work_dir)
    else:
        _run_single(args, work_dir)


def _report(results: dict[str, StageResult], args: argparse.Namespace, work_dir: Path) -> None:
    if is_main_process():
        write_report(results, work_dir / 'results.json', title=Path(args.config).stem)


def _run_pipeline(config: Config, args: argparse.Namespace, work_dir: Path) -> None:
    data = read_data(args.data) if args.data else None
    stages = load_stages(config, args.cfg_options, data=data)
    for stage in stages:
        _use_options(stage.config, stage.task, args)
        if args.overwrite and stage.makes_labels:
            stage.config.test_cfg.overwrite = True
    only = None if args.stages is None else _names(args.stages)
    results = run_pipeline(
        stages,
        work_dir,
        only=only,
        resume=args.resume,
        delete_scores=args.delete_scores,
        launcher=args.launcher,
    )
    _report(results, args, work_dir)
    cores = free_cores()  # asked of all ranks
    if is_main_process():
        draw_results(stages, results, work_dir)
        write_prediction_configs(stages, results, work_dir)
        report_labels(stages, results, work_dir, num_workers=cores)


def _run_single(args: argparse.Namespace, work_dir: Path) -> None:
    for option, given in (('--stages', args.stages), ('--delete-scores', args.delete_scores)):
        if given not in (None, False):
            raise UserInputError(f'{option}: {args.config} is a single stage, not a pipeline.')
    config, unmeasured = load_stage_config(args)
    task = 'train' if config.get('train_cfg') else 'test'
    _use_options(config, task, args)
    if task == 'test':
        check_measured(unmeasured)
    preflight(task, config, task=task)
    stage = Stage(task, config, unmeasured=unmeasured)
    result = run_single(stage, work_dir, resume=args.resume, launcher=args.launcher)
    _report({task: result}, args, work_dir)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(',')]
    if not all(names):
        raise UserInputError(f'--stages {text!r}: expected names of stages, separated by commas.')
    return names


def _use_options(config: Config, task: str, args: argparse.Namespace) -> None:
    if args.amp:
        use_amp(config, task)
    if args.compile and not config.get('compile'):
        config.compile = True


if __name__ == '__main__':
    run_tool(main, go_on='run the same command again, with --resume for a training,')
