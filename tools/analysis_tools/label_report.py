"""Write a report on a folder of label maps: one HTML file with figures, tables and pictures.

python tools/analysis_tools/label_report.py work_dirs/psa_voc_pets/walk/labels/walk_crf \
    --data my_data.py --earlier work_dirs/psa_voc_pets/seeds/labels/seed --out report.html
python tools/analysis_tools/label_report.py labels --images images --classes background cat dog

The weak labels, and true masks if there are any, are those of the data file. Without it, --images
names the folder of the images and --masks that of the masks, and labels are not compared with tags.
"""

import argparse
from pathlib import Path

from mmwsss.apis.command_line import run_tool
from mmwsss.apis.label_report_source import source_of_data, source_of_folders
from mmwsss.apis.mask_arguments import add_class_arguments, mask_encoding
from mmwsss.engine.config.data import read_data
from mmwsss.engine.cores import free_cores
from mmwsss.engine.label_report import LabelSet, write_label_report
from mmwsss.structures import UserInputError


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('labels', type=Path, help='folder of label maps, <image id>.png')
    parser.add_argument(
        '--earlier', type=Path, nargs='+', default=[], help='folders of earlier stages, in order'
    )
    parser.add_argument('--second', type=Path, help='folder of other labels to compare with')
    parser.add_argument('--data', help='config that describes your own data, data = dict(...)')
    parser.add_argument('--images', type=Path, help='folder of the images, without --data')
    parser.add_argument('--masks', type=Path, help='folder of true masks')
    add_class_arguments(parser)
    parser.add_argument('--out', type=Path, default=Path('report.html'), help='HTML to write')
    args = parser.parse_args(arguments)
    if (args.data is None) == (args.images is None):
        raise UserInputError('name the images with either --data or --images.')
    labels, *others = _label_sets([args.labels, *args.earlier, *filter(None, [args.second])])
    if args.data:
        source = source_of_data(labels, others, read_data(args.data), masks=args.masks)
    else:
        source = source_of_folders(
            labels,
            others,
            args.images,
            classes=tuple(args.classes),
            masks=args.masks,
            encoding=mask_encoding(args),
        )
    path = write_label_report(source, args.out, num_workers=free_cores())
    print(f'report: {path.resolve().as_uri()}')


def _label_sets(folders: list[Path]) -> list[LabelSet]:
    """Name folders by their last part, or by more of the path if two end alike."""
    names = [folder.resolve().name for folder in folders]
    return [
        LabelSet(name if names.count(name) == 1 else str(folder), str(folder))
        for name, folder in zip(names, folders, strict=True)
    ]


if __name__ == '__main__':
    run_tool(main)
