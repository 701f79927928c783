"""Time affinities of neighbouring cells, forward and backward, against their plain form.

python tools/benchmarks/benchmark_affinity.py --threads 2

The plain form copies both cells of every pair, all pairs at once. Every form runs in its own
process; memory is the peak above what the process held before. At the sizes of the paper's
training, which are the defaults, the plain form needs several GiB.
"""

import argparse
import resource
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor

from mmwsss.affinity import stencil_affinities

sys.path.insert(0, str(Path(__file__).parents[2] / 'tests'))
from reference import stencil_affinity as reference

FORMS = {
    'stencil': lambda feats, radius: stencil_affinities(feats, radius=radius),
    'plain': reference.gathered_affinities,
}


def make_feats(args: argparse.Namespace, channels_last: bool) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    size = (args.images, args.channels, args.size, args.size)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    # Made in place, because a freed copy would hide the peak that follows.
    feats = torch.empty(size, memory_format=memory_format).normal_(generator=generator)
    return torch.nn.functional.elu_(feats).requires_grad_()


def measure(name: str, args: argparse.Namespace, channels_last: bool) -> tuple[float, float, float]:
    """Return the seconds of the fastest run, the peak memory in MiB, and the sum of affinities."""
    torch.set_num_threads(args.threads)
    feats = make_feats(args, channels_last)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(args.repeats):
        feats.grad = None
        start = time.perf_counter()
        total = FORMS[name](feats, args.radius).sum()
        total.backward()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return min(seconds), peak / 1024, total.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=8)
    parser.add_argument('--channels', type=int, default=448)
    parser.add_argument('--size', type=int, default=56, help='side of the feature map')
    parser.add_argument('--radius', type=int, default=5)
    parser.add_argument('--repeats', type=int, default=2)
    parser.add_argument('--threads', type=int, default=2)
    args = parser.parse_args()
    results: dict[str, tuple[float, float, float]] = {}
    for channels_last in (False, True):
        for name in FORMS:
            # A separate process, because the peak memory of a process never falls.
            with get_context('spawn').Pool(1) as pool:
                results[name] = pool.apply(measure, (name, args, channels_last))
            layout = 'channels last' if channels_last else 'channels first'
            seconds, peak, total = results[name]
            print(f'{layout:14}  {name:8} {seconds:6.3f} s  {peak:6.0f} MiB  sum {total:.6g}')
        (ours, our_peak, _), (plain, plain_peak, _) = results['stencil'], results['plain']
        print(f'{"":14}  ratio    {plain / ours:6.1f}    {plain_peak / our_peak:6.1f}')


if __name__ == '__main__':
    main()
