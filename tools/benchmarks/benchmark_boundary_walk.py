"""Time affinities along paths and the walk up to boundaries against their plain forms.

python tools/benchmarks/benchmark_boundary_walk.py --threads 1

The plain form of the affinities copies every cell of every path, all pairs at once. Every form runs
in its own process; memory is the peak above what the process held before.
"""

import argparse
import resource
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import torch

from mmwsss.affinity import boundary_affinities, random_walk
from mmwsss.affinity.paths import path_pieces

sys.path.insert(0, str(Path(__file__).parents[2] / 'tests'))
from reference import path_affinity as reference


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def time_affinities(name: str, args: argparse.Namespace) -> tuple[float, float, float]:
    """Return the seconds of the fastest forward and backward pass, the peak in MiB, and the sum."""
    torch.set_num_threads(args.threads)
    size = (args.size, args.size)
    edge = torch.rand(args.images, 1, *size, generator=torch.Generator().manual_seed(0))
    edge.requires_grad_()
    # One-time computations do not count.
    if name == 'plain':
        reference.path_indices(size, args.radius)
    else:
        path_pieces(args.radius)
    before, seconds = peak_mib(), []
    for _ in range(args.repeats):
        edge.grad = None
        start = time.perf_counter()
        if name == 'plain':
            total = reference.gathered_affinities(edge, args.radius).sum()
        else:
            total = boundary_affinities(edge, radius=args.radius).sum()
        total.backward()
        seconds.append(time.perf_counter() - start)
    return min(seconds), peak_mib() - before, total.item()


def time_walk(size: tuple[int, int], args: argparse.Namespace) -> tuple[float, float]:
    """Return the seconds of the fastest walk, including affinities, and the peak in MiB."""
    torch.set_num_threads(args.threads)
    generator = torch.Generator().manual_seed(0)
    cells = [-(-side // 4) for side in size]
    edge = torch.rand(1, 1, *cells, generator=generator)
    scores = torch.rand(1, args.classes, *cells, generator=generator)
    before, seconds = peak_mib(), []
    for _ in range(args.repeats):
        start = time.perf_counter()
        affinities = boundary_affinities(edge, radius=5)
        random_walk(scores * (1 - edge), affinities, radius=5, beta=10, log_steps=8)
        seconds.append(time.perf_counter() - start)
    return min(seconds), peak_mib() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=1)
    parser.add_argument('--size', type=int, default=128, help='side of the grid')
    parser.add_argument('--radius', type=int, default=10)
    parser.add_argument('--classes', type=int, default=2, help='classes that walk')
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    results = []
    for name in ('shared', 'plain'):
        # A separate process, because the peak memory of a process never falls.
        with get_context('spawn').Pool(1) as pool:
            results.append(pool.apply(time_affinities, (name, args)))
        seconds, peak, total = results[-1]
        print(f'affinities {name:8} {seconds:7.3f} s  {peak:6.0f} MiB  sum {total:.7g}', flush=True)
    (ours, our_peak, _), (plain, plain_peak, _) = results
    print(f'{"ratio":19} {plain / ours:7.1f}    {plain_peak / our_peak:6.1f}')
    for size in ((375, 500), (1024, 2048)):
        with get_context('spawn').Pool(1) as pool:
            seconds, peak = pool.apply(time_walk, (size, args))
        print(f'walk {size[0]:4}x{size[1]:4}      {seconds:7.3f} s  {peak:6.0f} MiB', flush=True)


if __name__ == '__main__':
    main()
