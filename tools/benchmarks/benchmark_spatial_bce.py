"""Time both phases of Spatial-BCE, forward and backward, against their plain form.

python tools/benchmarks/benchmark_spatial_bce.py --threads 2

The plain form sorts the probabilities of all classes, computes every term for every class, and
masks what does not count; it has no loop. Both give Spatial-BCE plus the divergence of proportions.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from mmwsss.models.losses import (
    present_rows,
    probability_step_loss,
    proportion_kl,
    threshold_step_loss,
)


def product_probability(
    logits: Tensor, threshold_map: Tensor, proportions: Tensor, labels: list[Tensor]
) -> Tensor:
    present = present_rows(labels, logits.shape[1])
    loss = probability_step_loss(logits, proportions, present)
    return loss + proportion_kl(logits, proportions, present)


def product_threshold(
    logits: Tensor, threshold_map: Tensor, proportions: Tensor, labels: list[Tensor]
) -> Tensor:
    present = present_rows(labels, logits.shape[1])
    loss = threshold_step_loss(logits, threshold_map, present)
    return loss + proportion_kl(logits, proportions, present)


def multi_hot(logits: Tensor, labels: list[Tensor]) -> Tensor:
    tags = logits.new_zeros(logits.shape[:2])
    for row, label in zip(tags, labels, strict=True):
        row[label] = 1
    return tags.unsqueeze(2)  # (B, K, 1)


def plain_terms(probs: Tensor, thresholds: Tensor, tags: Tensor) -> tuple[Tensor, ...]:
    """Masks and uncertainties below and above the thresholds, (B, K, n) each."""
    t = thresholds.clamp_min(1e-4).unsqueeze(2)
    low, high = tags * (probs <= t), tags * (probs > t)
    below = 1 - (probs - t) ** 2 / t**2
    above = 1 - (probs - t) ** 2 / ((1 - t) ** 2).clamp_min(1e-8)
    return low, high, below, above


def plain_kl(probs: Tensor, proportions: Tensor, tags: Tensor) -> Tensor:
    mean, tags = probs.mean(2), tags.squeeze(2)
    target = proportions.clamp_min(1 / probs.shape[2])
    inside = mean * (mean / (target + 1e-10)).clamp_min(1e-8).log()
    outside = (1 - mean) * ((1 - mean) / (1 - target + 1e-10)).clamp_min(1e-8).log()
    return (tags * (inside + outside)).sum() / tags.sum()


def plain_probability(
    logits: Tensor, threshold_map: Tensor, proportions: Tensor, labels: list[Tensor]
) -> Tensor:
    tags = multi_hot(logits, labels)
    probs = logits.flatten(2).sigmoid()
    num_positions = probs.shape[2]
    index = (proportions * num_positions).long().clamp(min=1).clamp(max=num_positions - 1)
    ordered = probs.detach().sort(dim=2, descending=True).values
    thresholds = ordered.gather(2, index.unsqueeze(2)).squeeze(2)
    low, high, below, above = plain_terms(probs, thresholds, tags)
    absent = (1 - tags) * -(1 - probs).clamp_min(1e-8).log()
    return (low * below + high * above + absent).mean() + plain_kl(probs, proportions, tags)


def plain_threshold(
    logits: Tensor, threshold_map: Tensor, proportions: Tensor, labels: list[Tensor]
) -> Tensor:
    tags = multi_hot(logits, labels)
    probs = logits.flatten(2).sigmoid()
    thresholds = threshold_map.mean(dim=(2, 3)).sigmoid()
    low, high, below, above = plain_terms(probs.detach(), thresholds, tags)
    loss = (low * below).sum() / low.sum() + (high * above).sum() / high.sum()
    return loss + plain_kl(probs, proportions, tags)


FORMS = {
    'probability': {'product': product_probability, 'plain': plain_probability},
    'threshold': {'product': product_threshold, 'plain': plain_threshold},
}


def make_inputs(args: argparse.Namespace, num_classes: int) -> tuple:
    generator = torch.Generator().manual_seed(0)
    size = (args.images, num_classes, args.size, args.size)
    logits = 3 * torch.randn(size, generator=generator)
    threshold_map = torch.randn(size, generator=generator)
    proportions = torch.rand(size[:2], generator=generator, dtype=torch.float64)
    # One or two classes per image in turn; the mean over VOC 2012 is 1.6.
    labels = [
        torch.randperm(num_classes, generator=generator)[: 1 + i % 2].sort().values
        for i in range(args.images)
    ]
    return logits.requires_grad_(), threshold_map.requires_grad_(), proportions, labels


def measure(loss_of: Callable, inputs: tuple, repeats: int) -> tuple[float, float]:
    """Return the seconds of the fastest run, and the loss."""
    seconds = []
    for _ in range(repeats + 1):
        for leaf in inputs[:2]:
            leaf.grad = None
        start = time.perf_counter()
        loss = loss_of(*inputs)
        loss.backward()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:]), loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=12)
    parser.add_argument('--size', type=int, default=47, help='side of the score map')
    parser.add_argument('--classes', type=int, nargs='+', default=[20, 80])
    parser.add_argument('--repeats', type=int, default=10)
    parser.add_argument('--threads', type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for num_classes in args.classes:
        inputs = make_inputs(args, num_classes)
        for phase, forms in FORMS.items():
            results = {}
            for name, loss_of in forms.items():
                results[name], loss = measure(loss_of, inputs, args.repeats)
                what = f'{num_classes} classes  {phase:11}  {name:7}'
                print(f'{what}  {1000 * results[name]:7.2f} ms  loss {loss:.5f}')
            print(f'{"":24}  ratio    {results["plain"] / results["product"]:7.1f}')


if __name__ == '__main__':
    main()
