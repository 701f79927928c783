"""Time refinement by colours of neighbouring pixels (PAMR) against its plain form and a CRF.

python tools/benchmarks/benchmark_pixel_adaptive.py --threads 1

The plain form copies all neighbours of all pixels. All forms run in this process, one after the
other on every image, so that other programs affect them alike.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mmwsss.pseudo_labels import DenseCRF, PixelAdaptiveRefinement
from mmwsss.pseudo_labels.functional import upsample

sys.path.insert(0, str(Path(__file__).parents[2] / 'tests'))
from reference.pixel_adaptive import gathered_pamr

SIZE = (375, 500)


def photo_and_scores(num_classes: int, rng: torch.Generator) -> tuple[np.ndarray, torch.Tensor]:
    """Make smooth colours with noise, and smooth scores (1+n, H, W)."""
    colors = 255 * upsample(torch.rand(3, 8, 10, generator=rng), SIZE)
    colors += 2 * torch.randn(3, *SIZE, generator=rng)
    image = colors.clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    scores = upsample(torch.rand(1 + num_classes, 12, 16, generator=rng), SIZE)
    return image, scores / scores.sum(dim=0)


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=5)
    parser.add_argument('--classes', type=int, default=2, help='present classes per image')
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = torch.Generator().manual_seed(0)
    full, half = PixelAdaptiveRefinement(), PixelAdaptiveRefinement(scale=0.5)
    crf = DenseCRF()
    times: dict[str, list[float]] = {name: [] for name in ('plain', 'full', 'half', 'CRF')}
    largest = 0.0
    for _ in range(args.images):
        image, scores = photo_and_scores(args.classes, rng)
        colours = torch.from_numpy(image).permute(2, 0, 1).float() / 255
        dilations = list(full.dilations)
        expected = gathered_pamr(colours, scores, dilations, full.iterations)
        largest = max(largest, (full.refine(scores, image, None) - expected).abs().max().item())
        times['plain'].append(
            seconds(lambda: gathered_pamr(colours, scores, dilations, full.iterations))  # noqa: B023
        )
        times['full'].append(seconds(lambda: full.refine(scores, image, None)))  # noqa: B023
        times['half'].append(seconds(lambda: half.refine(scores, image, None)))  # noqa: B023
        times['CRF'].append(seconds(lambda: crf.refine(scores, image, None)))  # noqa: B023
    fastest = {name: min(found) for name, found in times.items()}
    for name, found in fastest.items():
        print(f'{name:6} {found:7.3f} s  ratio to full {found / fastest["full"]:6.2f}')
    print(f'largest difference of full and plain: {largest:.1e}')


if __name__ == '__main__':
    main()
