"""Time the pixel counts used to evaluate label maps.

python tools/benchmarks/benchmark_label_evaluation.py --labels LABELS --masks MASKS

- confusion: one confusion matrix per image by one bincount, from which all counts follow.
- histograms: mmseg's form, two selections and three histograms of 32-bit floats.

Both forms give the same counts. The maps are PNGs with the same names in two folders or, by
default, smooth random maps of VOC's size. The time to read them is the same for both forms and
reported separately.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmseg.evaluation import IoUMetric

from mmwsss.datasets.image_files import read_label_map
from mmwsss.evaluation.label_folder import count_pixels
from mmwsss.structures import IGNORE_INDEX

SIZE = (375, 500)
Pair = tuple[np.ndarray, np.ndarray]


def random_pairs(number: int, num_classes: int) -> list[Pair]:
    """Make maps of blocks, some of which the masks ignore."""
    random = np.random.default_rng(0)
    values = np.append(np.arange(num_classes), IGNORE_INDEX).astype(np.uint8)
    small = random.choice(values, (number, 2, 15, 20))
    large = small.repeat(25, axis=2).repeat(25, axis=3)
    return [(label[: SIZE[0]].copy(), mask[: SIZE[0]].copy()) for label, mask in large]


def read_pairs(labels: Path, masks: Path, number: int) -> list[Pair]:
    """Read the first maps of two folders and print how long it takes."""
    paths = sorted(labels.glob('*.png'))[:number]
    start = time.perf_counter()
    pairs = [(read_label_map(path), read_label_map(masks / path.name)) for path in paths]
    print(f'reading     {1000 * (time.perf_counter() - start) / len(pairs):7.2f} ms per image')
    return pairs


def histograms(label: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Count in mmseg's form."""
    pair = torch.from_numpy(label.copy()), torch.from_numpy(mask.copy())
    return torch.stack(IoUMetric.intersect_and_union(*pair, num_classes, IGNORE_INDEX)).numpy()


def counted(count: Callable, pairs: list[Pair], num_classes: int) -> tuple[float, np.ndarray]:
    """Return the seconds per image, and intersection, union, labelled and true of all images."""
    start = time.perf_counter()
    total = sum(count(*pair, num_classes)[:4].astype(np.float64) for pair in pairs)
    return (time.perf_counter() - start) / len(pairs), total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--labels', type=Path)
    parser.add_argument('--masks', type=Path)
    parser.add_argument('--classes', type=int, default=21, help='including background')
    parser.add_argument('--images', type=int, default=50)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.labels and args.masks:
        pairs = read_pairs(args.labels, args.masks, args.images)
    else:
        pairs = random_pairs(args.images, args.classes)
    forms = {'confusion': count_pixels, 'histograms': histograms}
    # Run in turn, so that other load on the machine affects both.
    runs = [[counted(f, pairs, args.classes) for f in forms.values()] for _ in range(args.repeats)]
    fastest = [min(seconds for seconds, _ in form) for form in zip(*runs, strict=True)]
    for name, seconds in zip(forms, fastest, strict=True):
        print(f'{name:11} {1000 * seconds:7.2f} ms per image')
    print(f'ratio       {fastest[1] / fastest[0]:7.2f}')
    print(f'same counts: {np.array_equal(runs[0][0][1], runs[0][1][1])}')


if __name__ == '__main__':
    main()
