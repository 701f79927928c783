"""Time the dense CRF of an image with two backgrounds: one CRF object for both against one each.

python tools/benchmarks/benchmark_crf_two_alphas.py --images 8

Both run in this process, one after the other on every image, so that other programs affect them
alike. A pool of processes without joint jobs would make two objects whenever the jobs of an image
end up in different processes. Images are 375 x 500, with smooth colours and noise; parameters are
those of labels from image tags.
"""

import argparse
import time

import numpy as np
import torch

from mmwsss.pseudo_labels import DenseCRF, RefineJob
from mmwsss.pseudo_labels.backgrounds import power_background
from mmwsss.pseudo_labels.functional import upsample
from mmwsss.pseudo_labels.refiners import dense_crf

SIZE = (375, 500)
ALPHAS = (4, 32)


def make_job(refiner: DenseCRF, num_classes: int, noise: float, rng: torch.Generator) -> RefineJob:
    colors = 255 * upsample(torch.rand(3, 8, 10, generator=rng), SIZE)
    colors += noise * torch.randn(3, *SIZE, generator=rng)
    image = colors.clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    cams = upsample(torch.rand(num_classes, 12, 16, generator=rng), SIZE)
    cams = cams / cams.amax(dim=(1, 2), keepdim=True)
    stacks = (torch.cat([power_background(cams, alpha=alpha), cams]) for alpha in ALPHAS)
    return RefineJob(refiner, tuple(stack.numpy() for stack in stacks), image)


def timed(jobs: list[RefineJob]) -> tuple[list[np.ndarray], float]:
    """Run jobs as different processes would, each with its own CRF object; CPU seconds."""
    results, seconds = [], 0.0
    for job in jobs:
        dense_crf._crf_of_image.cache_clear()
        start = time.process_time()
        results += job()
        seconds += time.process_time() - start
    return results, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=8)
    parser.add_argument(
        '--noise', type=float, default=2, help='noise of the colours, on a scale of 0 to 255'
    )
    parser.add_argument('--classes', type=int, default=2, help='present classes per image')
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    crf = DenseCRF(
        bilateral_weight=10, bilateral_xy=80, bilateral_rgb=13, gaussian_weight=3, gaussian_xy=3
    )
    print(f'images: {args.images}, labels: {1 + args.classes}, iterations: {crf.iterations}')
    ratios, same = [], True
    for _ in range(args.images):
        job = make_job(crf, args.classes, args.noise, rng)
        separate = [RefineJob(crf, (stack,), job.image) for stack in job.stacks]
        expected, two = timed(separate)
        refined, one = timed([job])
        same &= all(np.array_equal(a, b) for a, b in zip(refined, expected, strict=True))
        ratios.append(two / one)
        print(f'two objects {two:6.3f} s  one object {one:6.3f} s  ratio {two / one:.2f}')
    print(f'median ratio {np.median(ratios):.2f}')
    print(f'same results: {same}')


if __name__ == '__main__':
    main()
