"""Time a pass of the pair sampler against its plain form, which compares with all images.

python tools/benchmarks/benchmark_pairing.py --images 82000 --classes 80 --most-frequent 0.3 0.55

Class frequencies fall as in photographs. If a class is in more than half of the images, like
persons in COCO, many images find no partner. Both forms draw the same pairs.
"""

import argparse
import time

import numpy as np

from mmwsss.datasets.samplers.disjoint_pair_sampler import pair_disjoint


def compare_with_all(present: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pair images; each takes the first of all possible partners."""
    order = rng.permutation(len(present))
    present = present[order]
    classes = np.ascontiguousarray(np.packbits(present, axis=1).T)  # (bytes, N)
    tagged = present.any(axis=1)
    free = tagged.copy()
    paired = np.zeros(len(order), dtype=bool)
    pairs = []
    for place in np.argsort(-(present @ present.mean(axis=0)), kind='stable'):
        if paired[place]:
            continue
        free[place] = False
        start = int(rng.integers(len(order)))
        fits = tagged & tagged[place] & ~(classes & classes[:, place, None]).any(axis=0)
        found = np.flatnonzero(fits & free)
        if len(found):
            partner = found[np.searchsorted(found, start) % len(found)]
            free[partner], paired[partner] = False, True
        else:
            found = np.flatnonzero(fits)
            partner = found[np.searchsorted(found, start) % len(found)] if len(found) else start
        pairs.append((order[place], order[partner]))
    return rng.permutation(np.array(pairs))


def make_images(args: argparse.Namespace, most_frequent: float) -> np.ndarray:
    """Present classes, bool (N, K), at least one per image."""
    rng = np.random.default_rng(0)
    frequencies = 1.0 / np.arange(1, args.classes + 1)
    frequencies *= (args.per_image - most_frequent) / frequencies[1:].sum()
    frequencies[0] = most_frequent
    present = rng.random((args.images, args.classes)) < frequencies
    empty = np.flatnonzero(~present.any(axis=1))
    present[empty, rng.integers(1, args.classes, len(empty))] = True
    return present


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=10582)
    parser.add_argument('--classes', type=int, default=20)
    parser.add_argument('--per-image', type=float, default=1.6, help='classes, on average')
    parser.add_argument('--most-frequent', type=float, nargs='+', default=[0.3, 0.55, 0.8])
    args = parser.parse_args()
    for most_frequent in args.most_frequent:
        present = make_images(args, most_frequent)
        seconds, found = [], []
        for pair in (pair_disjoint, compare_with_all):
            start = time.process_time()
            found.append(pair(present, np.random.default_rng(0)))
            seconds.append(time.process_time() - start)
        fast, slow = seconds
        print(
            f'most frequent in {most_frequent:.0%}: pass {fast:6.2f} s  plain {slow:7.2f} s  '
            f'ratio {slow / fast:5.1f}  same pairs: {np.array_equal(*found)}',
            flush=True,
        )


if __name__ == '__main__':
    main()
