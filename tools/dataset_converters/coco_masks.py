"""Write true masks and lists of MS COCO, or of your own data in its format.

python tools/dataset_converters/coco_masks.py data/coco

For every split it reads `annotations/instances_<split>.json` and writes `masks/<split>/*.png` and
`<split>.txt`, a list of the images that have an annotation. Their ids are `<split>/<file name
without suffix>`, so the images belong to `images/<split>/`. Label values number the categories from
1 by ascending id; 0 is the background. Of overlapping objects, the smaller one is on top. The masks
are for evaluation only. Running the command again writes what is missing.

It needs pycocotools: pip install "mmwsss[coco]".
"""

import argparse
import logging
from functools import partial
from pathlib import Path

from mmwsss.apis.command_line import run_tool
from mmwsss.datasets.coco_masks import (
    CocoImage,
    classes_of,
    images_of,
    import_pycocotools,
    write_masks,
)
from mmwsss.datasets.label_formats.coco_file import check_coco
from mmwsss.datasets.label_formats.label_files import read_annotation_json
from mmwsss.engine.labels.pool import RefinePool
from mmwsss.engine.progress import Progress
from mmwsss.engine.state.fingerprints import file_hash
from mmwsss.structures import UserInputError, read_json, write_json
from mmwsss.structures.atomic_files import write_atomically

SETTINGS = 'coco_masks.json'
_CHUNK = 64  # images that a process paints per job


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', type=Path, help='folder of COCO, with annotations/')
    parser.add_argument(
        '--splits', nargs='+', default=['train2014', 'val2014'], help='default: the splits of 2014'
    )
    parser.add_argument(
        '--crowd',
        choices=['class', 'ignore', 'background'],
        default='class',
        help='how to paint a crowd (default: class, below all other objects)',
    )
    parser.add_argument(
        '--keep-empty', action='store_true', help='also list images without an annotation'
    )
    parser.add_argument('--workers', type=int, default=2, help='number of processes (default: 2)')
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    import_pycocotools()  # before minutes of reading
    for split in args.splits:
        convert(args.root, split, args)


def convert(root: Path, split: str, args: argparse.Namespace) -> None:
    """Write the masks of a split and, once they are complete, its list."""
    path = root / 'annotations' / f'instances_{split}.json'
    file = check_coco(read_annotation_json(path, keep_polygons=True), path)
    values = classes_of(file)
    images = images_of(file, crowd=args.crowd, keep_empty=args.keep_empty)
    folder = root / 'masks' / split
    check_outlines(images, path)
    settings = {'annotations': file_hash(path), 'crowd': args.crowd, 'classes': values}
    check_settings(folder, settings)
    missing = [one for one in images if not (folder / f'{one.name}.png').exists()]
    paint(missing, folder, args.workers)
    ids = ''.join(f'{split}/{one.name}\n' for one in images)
    write_atomically(root / f'{split}.txt', ids.encode())
    print(
        f'{folder}: masks written: {len(missing)}, already there: {len(images) - len(missing)}, '
        f'classes: {len(values)}. {root / split}.txt lists the images.'
    )


def check_outlines(images: list[CocoImage], path: Path) -> None:
    """Refuse annotations without any outline, such as boxes; count objects that lack one."""
    found = [isinstance(one.segmentation, str | dict) for image in images for one in image.objects]
    if found and not any(found):
        raise UserInputError(
            f'{path}: no annotation has a `segmentation` (polygons or run lengths) to paint a mask '
            'from. Boxes are not enough.'
        )
    if lacking := found.count(False):
        print(f'{path}: annotations without a `segmentation`, not painted: {lacking}.')


def check_settings(folder: Path, settings: dict) -> None:
    """Refuse to continue in a folder of masks that were painted in another way."""
    path = folder / SETTINGS
    if path.exists() and read_json(path) != settings:
        raise UserInputError(
            f'{folder} holds masks of other annotations or with another --crowd, see {SETTINGS} '
            'there. Remove the folder, or use the same annotations and options.'
        )
    write_json(path, settings)


def paint(images: list[CocoImage], folder: Path, num_workers: int) -> None:
    """Write masks in several processes."""
    chunks = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
    jobs = [partial(write_masks, chunk, folder) for chunk in chunks]
    logger = logging.getLogger(__name__)
    title = f'masks, {_CHUNK} at a time'
    with RefinePool(num_workers) as pool, Progress(title, len(jobs), logger) as progress:
        for future in progress.iterate([pool.submit(job) for job in jobs]):
            future.result()


if __name__ == '__main__':
    run_tool(main)
