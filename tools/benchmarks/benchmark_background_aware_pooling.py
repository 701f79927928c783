"""Time background-aware pooling, forward and backward, against its plain form.

python tools/benchmarks/benchmark_background_aware_pooling.py --threads 2

The plain form builds the resampled features of every box and classifies pooled features, box by
box. Both forms start from the same features and end with the cross entropy of all regions. Time and
peak memory above the inputs cover forward and backward together, including the classifier.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.heads.cam_head import linear_scores
from mmwsss.models.losses import region_cross_entropy
from mmwsss.models.poolings import BackgroundAwarePooling

sys.path.insert(0, str(Path(__file__).parents[2] / 'tests'))
from reference import background_aware_pooling as reference

NUM_CLASSES = 20


def make_samples(num_images: int, num_boxes: int, pixels: int) -> list[SegDataSample]:
    """Make images with random boxes that span a fifth to four fifths of each side."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for _ in range(num_images):
        sides = (0.2 + 0.6 * torch.rand(num_boxes, 2, generator=generator)) * pixels
        corners = torch.rand(num_boxes, 2, generator=generator) * (pixels - sides)
        boxes = torch.cat([corners, corners + sides], dim=1).floor()
        mask = torch.ones(1, pixels, pixels, dtype=torch.uint8)
        for x1, y1, x2, y2 in boxes.int().tolist():
            mask[:, y1:y2, x1:x2] = 0
        labels = torch.randint(NUM_CLASSES, (num_boxes,), generator=generator)
        sample = SegDataSample()
        sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
        sample.background_mask = PixelData(data=mask)
        samples.append(sample)
    return samples


def product_loss(feats: Tensor, weight: Tensor, samples: list[SegDataSample]) -> Tensor:
    pooled = BackgroundAwarePooling()(feats, linear_scores(feats, weight), samples)
    return region_cross_entropy(pooled.logits, pooled.targets)


def plain_loss(feats: Tensor, weight: Tensor, samples: list[SegDataSample]) -> Tensor:
    masks = torch.cat([sample.background_mask.data for sample in samples])
    small = F.interpolate(masks.unsqueeze(1).float(), feats.shape[2:]).squeeze(1)
    boxes = [sample.gt_instances.bboxes for sample in samples]
    logits = reference.region_logits(feats, weight, boxes, masks, small, 4)
    labels = torch.cat([sample.gt_instances.labels for sample in samples]) + 1
    targets = torch.zeros(len(logits), dtype=torch.long)
    targets[: 4 * len(labels)] = labels.repeat_interleave(4)
    return F.cross_entropy(logits, targets)


FORMS = {'product': product_loss, 'plain': plain_loss}


def measure(name: str, args: argparse.Namespace, channels_last: bool) -> tuple[float, float, float]:
    """Return the seconds of the fastest run, the peak memory in MiB, and the loss."""
    torch.set_num_threads(args.threads)
    samples = make_samples(args.images, args.boxes, args.pixels)
    generator = torch.Generator().manual_seed(1)
    size = (args.images, args.channels, args.size, args.size)
    feats = torch.randn(size, generator=generator).relu_()
    if channels_last:
        feats = feats.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(1 + NUM_CLASSES, args.channels, generator=generator) / 100
    feats.requires_grad_()
    weight.requires_grad_()
    loss_of: Callable = FORMS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(args.repeats + 1):
        feats.grad = weight.grad = None
        start = time.perf_counter()
        loss = loss_of(feats, weight, samples)
        loss.backward()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return min(seconds[1:]), peak / 1024, loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=20)
    parser.add_argument('--boxes', type=int, default=3, help='boxes per image')
    parser.add_argument('--channels', type=int, default=1024)
    parser.add_argument('--size', type=int, default=41, help='side of the feature map')
    parser.add_argument('--pixels', type=int, default=321, help='side of the image')
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--threads', type=int, default=2)
    args = parser.parse_args()
    results = {}
    for channels_last in (False, True):
        for name in FORMS:
            # A separate process, because the peak memory of a process never falls.
            with get_context('spawn').Pool(1) as pool:
                seconds, peak, loss = pool.apply(measure, (name, args, channels_last))
            results[name] = seconds
            layout = 'channels last' if channels_last else 'channels first'
            print(f'{layout:14}  {name:8} {seconds:6.3f} s  {peak:6.0f} MiB  loss {loss:.5f}')
        print(f'{"":14}  ratio    {results["plain"] / results["product"]:6.1f}')


if __name__ == '__main__':
    main()
