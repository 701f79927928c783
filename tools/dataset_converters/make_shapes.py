"""Write the synthetic shapes as a data set in the layout of PASCAL VOC.

    python tools/dataset_converters/make_shapes.py data/shapes --train 200 --val 50

Running it again with the same arguments does nothing.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from mmwsss.apis.command_line import run_tool
from mmwsss.datasets.shapes import CLASSES, ShapesSample, ShapesWeakDataset, make_sample
from mmwsss.structures import UserInputError

VERSION = 1  # increase it when the same seed gives different images
MARKER = 'shapes.json'


def make_shapes(out: Path, *, train: int, val: int, size: int, seed: int) -> bool:
    """Write the data set, either completely or not at all.

    Returns:
        Whether something was written; False if the same data set already exists.

    Raises:
        UserInputError: ``out`` holds something else.
    """
    if min(train, val) < 1 or size < 32 or seed < 0:
        raise UserInputError(
            'Expected --train and --val >= 1, --size >= 32 and --seed >= 0, '
            f'got {train}, {val}, {size}, {seed}.'
        )
    settings = {'version': VERSION, 'train': train, 'val': val, 'size': size, 'seed': seed}
    if out.exists() and not out.is_dir():
        raise UserInputError(f'{out} is a file. Name a new folder.')
    if out.is_dir() and any(out.iterdir()):
        if _read_marker(out) == settings:
            return False
        raise UserInputError(
            f'{out} is not empty and holds something else than these shapes ({settings}). Give a '
            'new folder, or remove this one.'
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    # Written beside the goal and renamed, so that an interrupted run leaves nothing half done.
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f'.{out.name}-') as folder:
        root = Path(folder) / 'shapes'
        _write_splits(root, {'train': train, 'val': val}, size=size, seed=seed)
        (root / MARKER).write_text(json.dumps(settings))
        if out.is_dir():
            out.rmdir()
        shutil.move(root, out)
    return True


def _read_marker(out: Path) -> dict | None:
    try:
        return json.loads((out / MARKER).read_text())
    except (OSError, ValueError):
        return None


def _write_splits(root: Path, splits: dict[str, int], *, size: int, seed: int) -> None:
    for folder in ('JPEGImages', 'Annotations', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / folder).mkdir(parents=True)
    for number, (split, count) in enumerate(splits.items()):
        ids = [f'{split}_{index:05d}' for index in range(count)]
        for index, img_id in enumerate(ids):
            _write_sample(root, img_id, make_sample((seed, number, index), size))
        (root / 'ImageSets/Segmentation' / f'{split}.txt').write_text('\n'.join(ids) + '\n')


def _write_sample(root: Path, img_id: str, sample: ShapesSample) -> None:
    Image.fromarray(sample.image).save(root / 'JPEGImages' / f'{img_id}.jpg', quality=95)
    mask = Image.fromarray(sample.mask)
    # This turns greyscale into mode P.
    mask.putpalette([value for color in ShapesWeakDataset.METAINFO['palette'] for value in color])
    mask.save(root / 'SegmentationClass' / f'{img_id}.png')
    height, width = sample.mask.shape
    annotation = ElementTree.Element('annotation')
    ElementTree.SubElement(annotation, 'filename').text = f'{img_id}.jpg'
    _add(annotation, 'size', {'width': width, 'height': height, 'depth': 3})
    for box, label in zip(sample.boxes.tolist(), sample.labels.tolist(), strict=True):
        entry = _add(annotation, 'object', {'name': CLASSES[label], 'difficult': 0})
        _add(entry, 'bndbox', dict(zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)))
    ElementTree.indent(annotation)
    ElementTree.ElementTree(annotation).write(root / 'Annotations' / f'{img_id}.xml')


def _add(parent: ElementTree.Element, name: str, fields: dict) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name)
    for key, value in fields.items():
        ElementTree.SubElement(element, key).text = str(value)
    return element


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('out', type=Path, help='folder to write to, the data root of the configs')
    parser.add_argument('--train', type=int, default=200, help='training images (default: 200)')
    parser.add_argument('--val', type=int, default=50, help='validation images (default: 50)')
    parser.add_argument('--size', type=int, default=96, help='side of the images (default: 96)')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    written = make_shapes(args.out, train=args.train, val=args.val, size=args.size, seed=args.seed)
    print(f'{args.out}: {"written" if written else "is there already"}')


if __name__ == '__main__':
    run_tool(main)
