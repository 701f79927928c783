"""Time what gated pyramid pooling and erasing triplets, and their parts, add to a training step.

python tools/benchmarks/benchmark_erasing_triplet.py --threads 2

Training steps, forward and backward, are those of the four configs of AEFT's ablation, with random
weights and images. Only the last layer of MobileNetV2 and the head are trained; `--backbone whole`
trains all layers, in which case the gradient to the image costs nothing extra.

All times are those of the fastest of several runs. Pooling and foreground run forward and backward
from the score map. Gated pyramid pooling is also compared with a 1x1 classifier of 4096 channels,
the last layer before it. Plain negatives compare two images at a time and copy every answer to the
host, as each comparison would on a GPU (where it would also wait for the device). The plain
foreground enlarges the maps of all classes.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.structures import SegDataSample
from torch import Tensor

from mmwsss.models.heads.cam_head import linear_scores
from mmwsss.models.losses.erasing_triplet_loss import choose_negatives, foreground_map
from mmwsss.models.poolings import GatedPyramidPooling, GlobalAveragePooling
from mmwsss.registry import MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / 'tests'))
from reference import erasing_triplet as reference

CONFIGS = Path(__file__).parents[2] / 'configs'
ABLATION = {
    'step: average pooling': 'cam/cam',
    'step: gated pyramid pooling': 'aeft/aeft-gpp',
    'step: and attraction': 'aeft/aeft-attract',
    'step: and repulsion': 'aeft/aeft',
}
NUM_CLASSES = 20
MOST_CLASSES = 4


def fastest(function: Callable[[], object], device: str, repeats: int) -> float:
    """Return the milliseconds of the fastest run after a warm-up."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        if device != 'cpu':
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds[1:])


def make_tags(num_images: int, generator: torch.Generator) -> Tensor:
    """Give every image one to four classes; two of five images have the first one."""
    tags = torch.zeros(num_images, NUM_CLASSES)
    for row in tags:
        count = int(torch.randint(1, MOST_CLASSES, (1,), generator=generator))
        row[torch.randperm(NUM_CLASSES - 1, generator=generator)[:count] + 1] = 1
        row[0] = float(torch.rand(1, generator=generator) < 0.4)
    return tags


def training_step(name: str, options: dict, images: Tensor, tags: Tensor) -> Callable[[], None]:
    """Forward and backward of the model of a config, changed by options, on a batch."""
    config = Config.fromfile(CONFIGS / f'{name}_mobilenet-v2_voc12-mini-320x320.py')
    config.merge_from_dict(options)
    model = MODELS.build(config.model).to(images.device, memory_format=torch.channels_last)
    model.train()
    samples = [SegDataSample(gt_score=row, gt_label=row.nonzero().flatten()) for row in tags]

    def step() -> None:
        model.zero_grad(set_to_none=True)
        sum(model.loss(images, samples).values()).backward()

    return step


def training_steps(args: argparse.Namespace, tags: Tensor) -> dict[str, Callable[[], None]]:
    """Steps of all configs of the ablation, and of the last one with a detached mask."""
    init_default_scope('mmwsss')
    images = torch.randn(len(tags), 3, args.pixels, args.pixels, device=args.device)
    options = {'model.backbone.frozen_stages': -1} if args.backbone == 'whole' else {}
    detached = {**options, 'model.objectives.1.detach_mask': True}
    steps = {name: training_step(path, options, images, tags) for name, path in ABLATION.items()}
    return {
        **steps,
        'step: the same, mask detached': training_step('aeft/aeft', detached, images, tags),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=32)
    parser.add_argument('--channels', type=int, default=4096)
    parser.add_argument('--size', type=int, default=40, help='side of the score map')
    parser.add_argument('--pixels', type=int, default=320, help='side of the image')
    parser.add_argument('--step-images', type=int, default=4, help='batch of a training step')
    parser.add_argument('--backbone', choices=['last', 'whole'], default='last', help='trained')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    generator = torch.Generator().manual_seed(0)
    size = (args.images, NUM_CLASSES, args.size, args.size)
    scores = torch.randn(size, generator=generator).to(args.device).requires_grad_()
    tags = make_tags(args.images, generator).to(args.device)
    feats = torch.randn(args.images, args.channels, args.size, args.size, device=args.device)
    weights = torch.randn(NUM_CLASSES, args.channels, device=args.device, requires_grad=True)
    average = GlobalAveragePooling()
    gated = GatedPyramidPooling(NUM_CLASSES).to(args.device)
    image = (args.pixels, args.pixels)
    rows = {
        '1x1 classifier': lambda: linear_scores(feats, weights).sum().backward(),
        'average pooling': lambda: average(scores, scores).logits.sum().backward(),
        'gated pyramid pooling': lambda: gated(scores, scores).logits.sum().backward(),
        'foreground, all classes': lambda: foreground_map(scores, tags, image).sum().backward(),
        'foreground, present classes': lambda: (
            foreground_map(scores, tags, image, most_classes=MOST_CLASSES).sum().backward()
        ),
        'negatives, plain': lambda: reference.choose_negatives(tags),
        'negatives, one product': lambda: choose_negatives(tags),
        **training_steps(args, tags[: args.step_images]),
    }
    for name, function in rows.items():
        print(f'{name:32}{fastest(function, args.device, args.repeats):10.3f} ms')


if __name__ == '__main__':
    main()
