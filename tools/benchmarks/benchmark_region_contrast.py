"""Time the contrast of regions with a memory, forward and backward, against its plain form.

python tools/benchmarks/benchmark_region_contrast.py --threads 2

Times go from features and class maps to the gradient of the features. The plain form handles one
region at a time, as published: mask, mean, normalisation of the whole memory, two contrasts. All
times are those of the fastest of several runs.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mmwsss.models.losses.region_contrast_loss import choose_partners, image_shares, mixup_contrast
from mmwsss.models.regions.embeddings import mean_threshold_regions, region_embeddings

sys.path.insert(0, str(Path(__file__).parents[2] / 'tests'))
from reference import region_contrast as reference


def make_labels(num_images: int, num_regions: int, num_classes: int) -> list[Tensor]:
    """Spread the regions over the images; different classes in each."""
    counts = [num_regions // num_images + (i < num_regions % num_images) for i in range(num_images)]
    generator = torch.Generator().manual_seed(0)
    return [torch.randperm(num_classes, generator=generator)[:n].sort().values for n in counts]


def product(
    feats: Tensor,
    class_map: Tensor,
    labels: list[Tensor],
    partners: Tensor,
    lam: Tensor,
    slots: Tensor,
    filled: Tensor,
    floor: float | None,
) -> Tensor:
    tags = torch.stack([class_map.new_zeros(len(slots)).index_fill_(0, c, 1) for c in labels])
    regions = region_embeddings(feats, mean_threshold_regions(class_map, tags), labels)
    rows = regions.embeddings, regions.classes, regions.valid
    losses, counted = mixup_contrast(*rows, partners, lam, slots, filled, floor=floor)
    return (losses * image_shares(regions.images, counted)).sum()


def fastest(loss_of: Callable[[], Tensor], leaf: Tensor, repeats: int) -> tuple[float, float]:
    """Return the milliseconds of the fastest run after a warm-up, and the loss."""
    seconds = []
    for _ in range(repeats + 1):
        leaf.grad = None
        if leaf.is_cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        loss = loss_of()
        loss.backward()
        if leaf.is_cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds[1:]), loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=8)
    parser.add_argument('--regions', type=int, default=12)
    parser.add_argument('--classes', type=int, default=20)
    parser.add_argument('--slots', type=int, default=500)
    parser.add_argument('--channels', type=int, default=512)
    parser.add_argument('--size', type=int, default=46, help='side of the feature grid')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    grid = (args.size, args.size)
    feats = torch.randn(args.images, args.channels, *grid, device=args.device).requires_grad_()
    class_map = torch.randn(args.images, args.classes, *grid, device=args.device)
    slots = torch.randn(args.classes, args.slots, args.channels, device=args.device)
    filled = torch.ones(args.classes, args.slots, dtype=torch.bool, device=args.device)
    labels = [c.to(args.device) for c in make_labels(args.images, args.regions, args.classes)]
    classes = torch.cat(labels)
    images = torch.arange(args.images).repeat_interleave(torch.tensor([len(c) for c in labels]))
    images = images.to(args.device)
    valid = torch.ones(len(classes), dtype=torch.bool, device=args.device)
    partners, _ = choose_partners(images, classes, valid)
    lam = torch.rand(len(classes), device=args.device)
    wanted = list(zip(images[partners].tolist(), classes[partners].tolist(), strict=True))
    listed = [c.tolist() for c in labels]
    common = feats, class_map, labels, partners, lam, slots, filled
    rows = {
        'one region at a time': lambda: reference.loss_of_loops(
            feats, class_map, listed, wanted, lam.tolist(), slots
        ),
        'all at once, floor': lambda: product(*common, 1e-4),
        'all at once': lambda: product(*common, None),
    }
    plain = None
    for name, loss_of in rows.items():
        taken, loss = fastest(loss_of, feats, args.repeats)
        plain = plain or taken
        print(f'{name:22}{taken:9.2f} ms  ratio {plain / taken:5.1f}  loss {loss:.5f}')


if __name__ == '__main__':
    main()
