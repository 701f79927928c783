"""Choose the background threshold or exponent of a pipeline's seeds without masks.

python tools/train.py configs/psa_mobilenet-v2_voc.py --data my_data.py --stages classifier
python tools/analysis_tools/choose_background.py configs/psa_mobilenet-v2_voc.py --data my_data.py
python tools/train.py work_dirs/psa_mobilenet-v2_voc_my_data/chosen.py --data my_data.py \
    --work-dir work_dirs/psa_mobilenet-v2_voc_my_data

The choice separates the activation maps of some images into high and low values as well as a single
threshold can (Otsu's criterion). It is written as a config that inherits the pipeline. Labels made
with it record the choice in their manifest.json.
"""

import argparse
from pathlib import Path

from mmengine.dist import is_main_process

from mmwsss.apis.command_line import add_common_arguments, parse_arguments, run_tool, work_dir_of
from mmwsss.engine.config.data import read_data
from mmwsss.engine.config.files import read_config
from mmwsss.engine.pipeline.background_choice import choose_background, find_label, write_choice
from mmwsss.engine.pipeline.stages import is_pipeline, load_stages
from mmwsss.structures import UserInputError


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_arguments(parser)
    parser.add_argument(
        '--label', help='<stage>.<label> (default: the first one whose background has a number)'
    )
    parser.add_argument(
        '--images',
        type=int,
        default=300,
        help='number of images to decide on, spread over the list',
    )
    parser.add_argument('--out', type=Path, help='config to write (default: <work dir>/chosen.py)')
    args = parse_arguments(parser)
    if args.images < 1:
        raise UserInputError(f'--images {args.images} must be at least 1.')
    config = read_config(args.config)
    if not is_pipeline(config):
        raise UserInputError(
            f'{args.config} is a single stage. Name the pipeline that it is part of.'
        )
    work_dir = work_dir_of(args)
    out = args.out or work_dir / 'chosen.py'
    data = read_data(args.data) if args.data else None
    stages = load_stages(config, args.cfg_options, data=data)
    stage, label = find_label(stages, args.label)
    choice = choose_background(
        stage, label, work_dir, num_images=args.images, launcher=args.launcher
    )
    if is_main_process():
        write_choice(choice, stage.name, Path(args.config), out)
        print(
            f'{stage.name}.{label}: {choice.option} = {choice.value} (was {choice.before}); '
            f'{choice.foreground:.1f} % of the pixels of {choice.images} images are foreground'
        )
        print(f'written to {out}')


if __name__ == '__main__':
    run_tool(main)
