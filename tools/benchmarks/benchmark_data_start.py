"""Time the start of your own large data set, and measure the memory that it takes.

python tools/benchmarks/benchmark_data_start.py --images 82000

Images and masks are empty files in subfolders of 1000, because the start only lists files. Tags are
JSON with up to three of 80 classes; one image in twenty is in the list `val`. Memory is the peak of
the process, with and without the data set.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

import mmwsss  # noqa: F401  (applies the package compatibility)
from mmwsss.datasets import CustomWeakDataset

CLASSES = tuple(f'class {i}' for i in range(80))
_HELD_OUT = 20  # one image in this many


def write_data(root: Path, number: int) -> dict:
    """Write the files and describe them."""
    ids = [f'{i // 1000:03}/image {i:06}' for i in range(number)]
    for folder in {Path(img_id).parent for img_id in ids}:
        for kind in ('images', 'masks'):
            (root / kind / folder).mkdir(parents=True)
    for img_id in ids:
        (root / f'images/{img_id}.jpg').touch()
        (root / f'masks/{img_id}.png').touch()
    random = np.random.default_rng(0)
    picks = random.integers(len(CLASSES), size=(number, 3))
    tags = {i: [CLASSES[c] for c in own] for i, own in zip(ids, picks, strict=True)}
    (root / 'tags.json').write_text(json.dumps(tags))
    (root / 'val.txt').write_text('\n'.join(f'{img_id}.jpg' for img_id in ids[::_HELD_OUT]))
    masks = dict(path='masks', classes=('other', *CLASSES))
    return dict(root=str(root), classes=CLASSES, labels='tags.json', val='val.txt', masks=masks)


def peak() -> float:
    """Peak memory of this process in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=82000)
    parser.add_argument('--folder', help='where to write the files, which are removed at the end')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        data = write_data(Path(folder), args.images)
        print(f'before              {peak():5.2f} GB')
        for split in ('train', 'val'):
            supervision = 'tag' if split == 'train' else None
            start = time.perf_counter(), time.process_time()
            dataset = CustomWeakDataset(data, split, supervision=supervision, true_masks=True)
            seconds, own = time.perf_counter() - start[0], time.process_time() - start[1]
            size = f'{split:5} {len(dataset):6} images'
            print(f'{size} {seconds:5.1f} s, {own:5.1f} s of it computing, peak {peak():5.2f} GB')


if __name__ == '__main__':
    main()
