"""Time the dense CRF of many images in a pool of processes against one process.

python tools/benchmarks/benchmark_crf_pool.py --workers 2 --images 16

Images are 375 x 500, with smooth colours and noise; parameters are those of labels from boxes. The
pool starts before the timing does, as its start does not matter for thousands of images.
"""

import argparse
import time
from concurrent.futures import wait
from functools import partial

import numpy as np
import torch

from mmwsss.engine.labels.pool import RefinePool
from mmwsss.pseudo_labels import DenseCRF, RefineJob
from mmwsss.pseudo_labels.functional import upsample

SIZE = (375, 500)


def make_jobs(num_images: int, num_labels: int, noise: float) -> list[RefineJob]:
    generator = torch.Generator().manual_seed(0)
    refiner = DenseCRF()
    jobs = []
    for _ in range(num_images):
        colors = 255 * upsample(torch.rand(3, 8, 10, generator=generator), SIZE)
        colors += noise * torch.randn(3, *SIZE, generator=generator)
        image = colors.clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
        scores = upsample(3 * torch.rand(num_labels, 12, 16, generator=generator), SIZE)
        jobs.append(RefineJob(refiner, (scores.softmax(dim=0).numpy(),), image))
    return jobs


def timed(job: RefineJob) -> tuple[np.ndarray, float]:
    start = time.process_time()
    return job()[0], time.process_time() - start


def run(pool: RefinePool, jobs: list[RefineJob]) -> tuple[list[np.ndarray], float, float]:
    """Return the results, the elapsed seconds, and the CPU seconds inside the jobs."""
    start = time.perf_counter()
    futures = [pool.submit(partial(timed, job)) for job in jobs]
    results, cpu_seconds = zip(*(future.result() for future in futures), strict=True)
    return results, time.perf_counter() - start, sum(cpu_seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--images', type=int, default=16)
    parser.add_argument(
        '--noise', type=float, default=2, help='noise of the colours, on a scale of 0 to 255'
    )
    parser.add_argument(
        '--labels', type=int, default=3, help='labels per image, including background'
    )
    args = parser.parse_args()
    jobs = make_jobs(args.images, args.labels, args.noise)
    crf = jobs[0].refiner
    print(
        f'images: {args.images}, labels: {args.labels}, iterations: {crf.iterations}, {crf.terms}'
    )
    with RefinePool(0) as pool:
        expected, serial, serial_cpu = run(pool, jobs)
    print(f'one process {serial:7.2f} s {serial / len(jobs):6.3f} s per image')
    with RefinePool(args.workers) as pool:
        wait([pool.submit(job) for job in jobs[: 2 * args.workers]])  # all processes are up
        refined, parallel, parallel_cpu = run(pool, jobs)
    print(f'{args.workers} processes {parallel:7.2f} s {parallel / len(jobs):6.3f} s per image')
    print(f'ratio        {serial / parallel:7.2f}')
    # Other programs increase the elapsed time but hardly the CPU time of the jobs.
    print(f'ratio with idle cores, from CPU time  {args.workers * serial_cpu / parallel_cpu:.2f}')
    same = all(np.array_equal(a, b) for a, b in zip(refined, expected, strict=True))
    print(f'same results: {same}')


if __name__ == '__main__':
    main()
