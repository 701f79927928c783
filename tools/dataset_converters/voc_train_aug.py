"""Write train_aug.txt of PASCAL VOC 2012, and its masks, from VOC and SBD.

python tools/dataset_converters/voc_train_aug.py data/VOCdevkit/VOC2012 benchmark_RELEASE/dataset

SBD, the Semantic Boundaries Dataset, is `benchmark.tgz` from its project page (Hariharan et al.,
"Semantic Contours from Inverse Detectors", ICCV 2011). The list is the union of SBD's train and val
and VOC's train, without VOC's val: 10 582 images, the same as in all published lists of that name.
The masks, `SegmentationClassAug/`, are VOC's if VOC has one, otherwise SBD's. They are for
evaluation; `--list-only` does not write them. Running the command again writes what is missing.
"""

import argparse
import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from mmwsss.apis.command_line import run_tool
from mmwsss.datasets import VOCWeakDataset
from mmwsss.datasets.annotations import read_image_ids
from mmwsss.datasets.image_files import read_label_map
from mmwsss.structures import UserInputError
from mmwsss.structures.atomic_files import write_atomically
from mmwsss.structures.input_files import read_bytes

# Hash of the sorted ids, one per line: all published methods have these images in their lists.
PUBLISHED_SHA256 = 'd1326bd532648d73bc4b1bd275434eba81930982dc7401a65a8cecb26c028e24'
LISTS = 'ImageSets/Segmentation'
_MAX_BYTES = 1 << 26
_NUM_CLASSES = 20


def train_aug_ids(voc: Path, sbd: Path) -> list[str]:
    """Unite SBD's lists with VOC's train, without VOC's val; sorted."""
    voc_lists = {
        name: set(read_image_ids(voc / LISTS / f'{name}.txt')) for name in ('train', 'val')
    }
    sbd_ids = {
        img_id for name in ('train', 'val') for img_id in read_image_ids(sbd / f'{name}.txt')
    }
    return sorted((sbd_ids | voc_lists['train']) - voc_lists['val'])


def is_published(ids: list[str]) -> bool:
    """Whether these are exactly the images of the published lists."""
    text = ''.join(f'{img_id}\n' for img_id in ids)
    return hashlib.sha256(text.encode()).hexdigest() == PUBLISHED_SHA256


def read_sbd_mask(path: Path) -> np.ndarray:
    """Read the classes of an SBD file, uint8 (H, W) of 0..20.

    Raises:
        UserInputError: The file cannot be read, or holds something else.
    """
    content = read_bytes(path, 'SBD file', max_bytes=_MAX_BYTES, remedy='Check the SBD folder.')
    try:
        mask = loadmat(io.BytesIO(content))['GTcls']['Segmentation'][0, 0]
    except Exception as error:  # only SciPy's reader runs here, and it fails in many ways
        raise UserInputError(
            f'{path} is not an SBD file with GTcls.Segmentation: {error}. Restore it.'
        ) from error
    if mask.ndim != 2 or mask.max(initial=0) > _NUM_CLASSES:
        raise UserInputError(f'{path}: expected a map of 0..{_NUM_CLASSES}. Restore it.')
    return mask.astype(np.uint8)


def write_masks(voc: Path, sbd: Path, ids: list[str]) -> int:
    """Write the missing masks as palette PNGs; return their number."""
    written = 0
    palette = np.asarray(VOCWeakDataset.METAINFO['palette'], dtype=np.uint8)
    colors = np.full((256, 3), 224, dtype=np.uint8)  # 255: VOC's light border
    colors[: len(palette)] = palette
    for img_id in ids:
        target = voc / 'SegmentationClassAug' / f'{img_id}.png'
        if target.exists():
            continue
        official = voc / 'SegmentationClass' / f'{img_id}.png'
        mask = (
            read_label_map(official, num_classes=_NUM_CLASSES)
            if official.exists()
            else read_sbd_mask(sbd / 'cls' / f'{img_id}.mat')
        )
        image = Image.fromarray(mask)
        image.putpalette(colors.tobytes())
        buffer = io.BytesIO()
        image.save(buffer, format='PNG')
        write_atomically(target, buffer.getvalue())
        written += 1
    return written


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('voc', type=Path, help='folder VOC2012')
    parser.add_argument('sbd', type=Path, help='folder of SBD with cls/, train.txt and val.txt')
    parser.add_argument('--list-only', action='store_true', help='write no masks')
    args = parser.parse_args(arguments)
    ids = train_aug_ids(args.voc, args.sbd)
    target = args.voc / LISTS / 'train_aug.txt'
    write_atomically(target, ''.join(f'{img_id}\n' for img_id in ids).encode())
    known = 'the published list' if is_published(ids) else 'NOT the published list of 10582 images'
    print(f'{target}: {known}, images: {len(ids)}.')
    if not args.list_only:
        written = write_masks(args.voc, args.sbd, ids)
        print(
            f'{args.voc / "SegmentationClassAug"}: masks written: {written}, all others were '
            'already there.'
        )


if __name__ == '__main__':
    run_tool(main)
