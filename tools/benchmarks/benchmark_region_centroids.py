"""Time a renewal of region centroids against its plain form.

python tools/benchmarks/benchmark_region_centroids.py --classes 4 --of 80

The plain form sorts the slots of every class to count the distinct ones, and lets scikit-learn
choose the number of threads for k-means. With several ranks, each clusters its share of the
classes. The shares are timed in turn; all ranks wait for the slowest one.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cluster import KMeans

from mmwsss.engine.hooks.region_centroids_hook import class_centroids


def plain(slots: torch.Tensor, num_centroids: int) -> torch.Tensor:
    """Cluster class by class."""
    found = []
    for rows in slots.numpy():
        assert len(np.unique(rows, axis=0)) > num_centroids
        means = KMeans(num_centroids, n_init=1, random_state=0).fit(rows).cluster_centers_
        found.append(torch.from_numpy(means))
    return torch.stack(found)


def renewal(slots: torch.Tensor, num_centroids: int) -> torch.Tensor:
    filled = torch.ones(slots.shape[:2], dtype=torch.bool)
    return class_centroids(slots, filled, num_centroids=num_centroids, seed=0)[0]


def make_slots(args: argparse.Namespace) -> torch.Tensor:
    """Rectified features that vary in few directions, (K, M, C)."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(args.classes, args.slots, 8, generator=generator)
    directions = torch.randn(args.classes, 8, args.channels, generator=generator)
    noise = torch.randn(args.classes, args.slots, args.channels, generator=generator)
    return (factors @ directions + 0.3 * noise).relu()


def seconds_of(work: Callable, *arguments: object) -> tuple[float, float, torch.Tensor]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = work(*arguments)
    return time.perf_counter() - wall, time.process_time() - cpu, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--classes', type=int, default=4, help='classes to time')
    parser.add_argument('--of', type=int, default=80, help='classes to which times are scaled')
    parser.add_argument('--slots', type=int, default=500)
    parser.add_argument('--channels', type=int, default=4096)
    parser.add_argument('--centroids', type=int, nargs='+', default=[10, 50])
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--ranks', type=int, nargs='+', default=[2, 4])
    args = parser.parse_args()
    slots, factor = make_slots(args), args.of / args.classes
    renewal(slots[:1], 2)  # imports
    for number in args.centroids:
        runs = [
            (seconds_of(renewal, slots, number), seconds_of(plain, slots, number))
            for _ in range(args.repeats)
        ]
        new, old = (np.min([run[i][:2] for run in runs], axis=0) * factor for i in range(2))
        difference = (runs[0][0][2] - runs[0][1][2]).abs().max().item()
        print(
            f'{number:3} centroids, {args.of} classes: renewal {new[0]:6.1f} s (CPU {new[1]:6.1f})'
            f'  plain {old[0]:6.1f} s (CPU {old[1]:6.1f})  ratio {old[0] / new[0]:5.1f} '
            f'(CPU {old[1] / new[1]:.1f})  difference {difference:.0e}',
            flush=True,
        )
        for ranks in args.ranks:
            shares = [seconds_of(renewal, slots[rank::ranks], number) for rank in range(ranks)]
            slowest = max(cpu for _, cpu, _ in shares) * factor
            print(f'    {ranks} ranks: CPU {slowest:6.1f} s, ratio {new[1] / slowest:.1f}')


if __name__ == '__main__':
    main()
