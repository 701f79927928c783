"""Time the cost of class maps beyond a linear classifier, forward and backward.

python tools/benchmarks/benchmark_class_branches.py --threads 2

- branches: networks of all classes as grouped convolutions, against one module per class. Both do
  the same arithmetic, so on a CPU the ratio is about 1 or below.
- aggregation: centroids added to the features by one C x C matrix, against the matrix of the
  affinities of all positions and centroids (the published form, without a softmax).

Both forms of a pair have the same weights and results. The published sizes are 512 channels on 46 x
46 positions and 8 images. At these sizes, 20 branches need minutes and some 10 GiB on a CPU. The
defaults take seconds.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from mmwsss.models.contexts import ProjectedAggregation
from mmwsss.models.heads import ClassBranches
from mmwsss.models.heads.cam_head import linear_scores

sys.path.insert(0, str(Path(__file__).parents[2] / 'tests'))
from reference import class_branches as reference

NUM_CLASSES = 20
FORMATS = {'channels first': torch.contiguous_format, 'channels last': torch.channels_last}


def branch_forms(channels: int) -> dict[str, nn.Module]:
    """Networks of all classes with the same weights in both forms."""
    separate = reference.separate_branches(channels, NUM_CLASSES)
    grouped = ClassBranches(channels, NUM_CLASSES)
    for name in ('weight', 'bias'):
        rows = reference.parameters(separate, name)
        for layer, row in zip(grouped.layers(), rows, strict=True):
            getattr(layer, name).data.copy_(torch.cat([part.data for part in row]))
    return {'grouped': grouped, 'separate': Separate(separate)}


class Separate(nn.Module):
    """One module per class."""

    def __init__(self, branches: nn.ModuleList) -> None:
        super().__init__()
        self.branches = branches

    def forward(self, x: Tensor) -> Tensor:
        """Score with one branch after the other."""
        return reference.scores(self.branches, x)


def aggregation_forms(channels: int) -> dict[str, nn.Module]:
    """Aggregation of ten centroids per class in both forms."""
    context = ProjectedAggregation(channels, NUM_CLASSES)
    # Normalised to length one, so that sums stay comparable.
    centroids = nn.functional.normalize(torch.randn_like(context.centroids), dim=2)
    context.set_centroids(centroids, torch.ones_like(context.valid))
    return {'one matrix': Aggregate(context), 'affinities': Affinities(context)}


class Aggregate(nn.Module):
    """Only the aggregation, without class map and concatenation."""

    def __init__(self, context: ProjectedAggregation) -> None:
        super().__init__()
        self.context = context

    def forward(self, x: Tensor) -> Tensor:
        """Aggregate by one matrix."""
        return self.context.aggregate(x)


class Affinities(Aggregate):
    """The same by the affinities of all positions and centroids."""

    def forward(self, x: Tensor) -> Tensor:
        """Aggregate by affinities."""
        layers, centroids = self.context.projections, self.context.centroids.flatten(0, 1)
        affinity = linear_scores(layers.query(x), self.context.scale * layers.key(centroids))
        return layers.output(linear_scores(affinity, layers.value(centroids).T))


def seconds_of(module: nn.Module, x: Tensor) -> tuple[float, float]:
    """Return the seconds of one run, and the sum of absolute results."""
    module.zero_grad()
    start = time.perf_counter()
    total = module(x).abs().sum()
    total.backward()
    return time.perf_counter() - start, total.item()


def compare(what: str, make: Callable, size: tuple[int, ...], repeats: int) -> None:
    """Print the fastest times and their ratio in both memory formats."""
    for layout, memory_format in FORMATS.items():
        torch.manual_seed(0)
        x = torch.randn(size).relu().to(memory_format=memory_format).requires_grad_()
        forms = {name: form.to(memory_format=memory_format) for name, form in make(size[1]).items()}
        # Run in turn, so that other load on the machine affects both.
        runs = [[seconds_of(form, x) for form in forms.values()] for _ in range(repeats + 1)]
        fastest = [min(run)[0] for run in zip(*runs[1:], strict=True)]
        for name, seconds, (_, total) in zip(forms, fastest, runs[0], strict=True):
            print(f'{what:12} {layout:15} {name:10} {seconds:7.3f} s  sum {total:.6g}')
        print(f'{"":28} ratio      {fastest[1] / fastest[0]:7.2f}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--branch-size', type=int, nargs=4, default=[2, 64, 23, 23])
    parser.add_argument('--aggregation-size', type=int, nargs=4, default=[2, 512, 46, 46])
    parser.add_argument('--repeats', type=int, default=8)
    parser.add_argument('--threads', type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    compare('branches', branch_forms, tuple(args.branch_size), args.repeats)
    compare('aggregation', aggregation_forms, tuple(args.aggregation_size), args.repeats)


if __name__ == '__main__':
    main()
