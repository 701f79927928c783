"""Time the random walk against squaring the dense transition matrix.

python tools/benchmarks/benchmark_random_walk.py --threads 2

Both start from the affinities of the stencil and end with the walked scores. They make their
matrices anew each time, but positions of sparse entries are kept between images of the same size,
as in real use. The dense form is only measured at the first size.
"""

import argparse
import resource
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from mmwsss.affinity import random_walk, stencil_mask

sys.path.insert(0, str(Path(__file__).parents[2] / 'tests'))
from reference.random_walk import dense_affinities, dense_walk

RADIUS, BETA, LOG_STEPS = 5, 8, 8


def make_maps(size: tuple[int, int], num_rows: int) -> tuple[Tensor, Tensor]:
    """Random scores (1, R, h, w), and affinities (1, K, h, w) from 0.6 to 1."""
    generator = torch.Generator().manual_seed(0)
    pairs = stencil_mask(size, radius=RADIUS)
    affinities = 0.6 + 0.4 * torch.rand(1, *pairs.shape, generator=generator)
    return torch.rand(1, num_rows, *size, generator=generator), affinities * pairs


def sparse_form(scores: Tensor, affinities: Tensor) -> Tensor:
    return random_walk(scores, affinities, radius=RADIUS, beta=BETA, log_steps=LOG_STEPS)


def dense_form(scores: Tensor, affinities: Tensor) -> Tensor:
    dense = dense_affinities(affinities[0], RADIUS)
    return dense_walk(scores[0].flatten(1), dense, BETA, LOG_STEPS).view(scores.shape)


FORMS = {'sparse': sparse_form, 'dense': dense_form}


def measure(
    name: str, size: tuple[int, int], rows: int, threads: int, repeats: int
) -> tuple[float, float, float, Tensor]:
    """Return the seconds of the first and the fastest run, the peak memory in MiB, the result."""
    torch.set_num_threads(threads)
    scores, affinities = make_maps(size, rows)
    form = FORMS[name]
    # One-time start-up work of the libraries is not part of the walk.
    form(*make_maps((6, 10), rows))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        walked = form(scores, affinities)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return seconds[0], min(seconds[1:]), peak / 1024, walked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--size', type=int, nargs=2, default=(47, 63), help='cells, height width')
    parser.add_argument(
        '--large', type=int, nargs=2, default=(94, 125), help='cells, only for the sparse form'
    )
    parser.add_argument('--rows', type=int, default=4, help='rows of scores')
    parser.add_argument('--repeats', type=int, default=10, help='of the sparse form')
    parser.add_argument('--threads', type=int, default=2)
    args = parser.parse_args()
    results = {}
    for name, size, repeats in (
        ('sparse', args.size, args.repeats),
        ('dense', args.size, 1),
        ('sparse', args.large, args.repeats),
    ):
        # A separate process, because the peak memory of a process never falls.
        with get_context('spawn').Pool(1) as pool:
            options = (name, tuple(size), args.rows, args.threads, repeats)
            first, seconds, peak, walked = pool.apply(measure, options)
        results.setdefault(name, (seconds, peak, walked))
        print(
            f'{size[0]:3}x{size[1]:<3}  {name:6}  first {first * 1e3:8.1f} ms  '
            f'then {seconds * 1e3:8.1f} ms  {peak:6.1f} MiB'
        )
    (fast, small, ours), (slow, large, plain) = results['sparse'], results['dense']
    print(f'ratio    time {slow / fast:.0f}  memory {large / small:.0f}')
    print(f'largest difference {(ours - plain).abs().max().item():.1e}')


if __name__ == '__main__':
    main()
