"""Time a whole label stage against a plain serial chain: images per second, and by part.

python tools/benchmarks/benchmark_label_stage.py --workers 1 2
python tools/benchmarks/benchmark_label_stage.py --simulate --workers 1 2 4 8 16
python tools/benchmarks/benchmark_label_stage.py --simulate --workers 1 --ranks 1 2 4

Images are synthetic shapes with boxes; labels are those of BANA from a network with random weights.
With ``--simulate``, network and CRF sleep, so that any number of workers fits on few cores. Parts
are milliseconds per image: reading, network and other work of the main process, its waiting for the
workers, and CRF and writing, which are a single number if the workers do both. The workers start
before the timing does, as their start does not matter for thousands of images. The limit is that of
the workers, their number divided by the time of the CRF, or that of the network.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import wait
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor
from torch.multiprocessing import start_processes

import mmwsss.engine.labels.pseudo_label_loop as loop_module
from mmwsss.datasets.image_files import read_image
from mmwsss.engine.labels.pool import RefinePool
from mmwsss.models.classifiers.filled_boxes import FilledBoxes
from mmwsss.registry import MODELS, TASK_UTILS
from mmwsss.structures import Refiner

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/demo/bana-classifier_resnet18_shapes-96x96.py'
MAKE_SHAPES = ROOT / 'tools/dataset_converters/make_shapes.py'


@MODELS.register_module()
class SleepingNetwork(FilledBoxes):
    """Filled boxes that take as long as a network on a device."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def forward(self, inputs: Tensor, data_samples: list, mode: str = 'predict') -> list:
        """Sleep, then fill the boxes."""
        time.sleep(self.seconds)
        return super().forward(inputs, data_samples, mode)


@TASK_UTILS.register_module()
class SleepingRefiner(Refiner):
    """Unchanged scores, after the time of a CRF."""

    in_worker = True

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def refine(self, scores: Tensor, image: Any, sample: Any) -> Tensor:
        """Sleep."""
        time.sleep(self.seconds)
        return scores


class Parts(NamedTuple):
    """Seconds per image: in total, of the main process, and of the jobs that workers may do."""

    total: float
    read: float
    network: float
    maps: float
    wait: float
    crf: float
    write: float


class Timed:
    """A function, and the time spent in it."""

    def __init__(self, function: Callable) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        start = time.perf_counter()
        try:
            return self.function(*args)
        finally:
            self.seconds += time.perf_counter() - start


def make_runner(args: argparse.Namespace, folder: Path, ranks: int, workers: int) -> Runner:
    """Build the stage that labels the first images, ``--images`` per worker."""
    images = args.images * ranks * max(workers, 1)
    config = Config.fromfile(CONFIG)
    config.work_dir = str(folder / 'work')
    config.log_level = 'WARNING'
    config.test_dataloader.num_workers = args.loaders
    config.test_dataloader.dataset.update(
        data_root=str(folder / 'shapes'), indices=images, data_prefix={}
    )
    config.test_cfg.update(num_workers=workers, out_dir=str(folder / f'{ranks}x{workers}'))
    if args.simulate:
        config.model = dict(type='SleepingNetwork', seconds=args.network)
        refiner = dict(type='SleepingRefiner', seconds=args.crf)
        label = dict(background=dict(type='PowerBackground', alpha=4), refiners=[refiner])
        config.test_cfg.generator = dict(type='PseudoLabelGenerator', labels=dict(Y_crf=label))
    else:
        config.load_from = str(folder / 'random.pth')
    return Runner.from_cfg(config)


def time_plain(args: argparse.Namespace, folder: Path) -> Parts:
    """Label one image after the other, each part after the previous one has ended."""
    runner = make_runner(args, folder, 1, 0)
    loop = runner.build_test_loop(runner.cfg.test_cfg)
    runner.load_or_resume()
    runner.model.eval()
    dataset = loop.dataloader.dataset
    read, network = Timed(dataset.__getitem__), Timed(runner.model.test_step)
    refine, write = Timed(lambda job: job()), Timed(lambda job: job())
    begin = time.perf_counter()
    for i in range(len(dataset)):
        data = pseudo_collate([read(i)])
        data['data_samples'][0].set_metainfo({'required_fields': loop.generator.requires})
        with torch.no_grad():
            (sample,) = network(data)
        steps, result = loop.generator.steps(sample, read_image(sample.img_path)), None
        try:
            while True:
                result = refine(steps.send(result))
        except StopIteration as finished:
            write(loop.store.writing(sample.img_id, finished.value))
    total = time.perf_counter() - begin
    timed = (read.seconds, network.seconds, refine.seconds, write.seconds)
    maps = total - sum(timed)
    seconds = (total, *timed[:2], maps, 0.0, *timed[2:])
    return Parts(*(part / len(dataset) for part in seconds))


class StartedPool(RefinePool):
    """A pool whose processes have all started."""

    def __enter__(self) -> RefinePool:
        super().__enter__()
        with tempfile.TemporaryDirectory() as folder:
            meeting = partial(meet, folder, self.num_workers)
            wait([self.submit(meeting) for _ in range(self.num_workers)])
        self.busy_seconds = 0.0
        return self


def meet(folder: str, number: int) -> None:
    """Wait for other processes."""
    Path(folder, str(os.getpid())).touch()
    while len(os.listdir(folder)) < number:
        time.sleep(0.05)


def time_product(runner: Runner) -> Parts:
    network = Timed(runner.model.test_step)
    runner.model.test_step = network
    runner.test()
    waits = runner.test_loop.waits
    own = waits.total - waits.for_images - waits.for_jobs - network.seconds
    seconds = (waits.total, waits.for_images, network.seconds, own, waits.for_jobs, waits.busy, 0)
    return Parts(*(part / len(runner.test_dataloader) for part in seconds))


def time_rank(rank: int, args: argparse.Namespace, folder: Path, ranks: int, workers: int) -> None:
    """Time a rank of the product; the first rank writes the parts of the slowest."""
    torch.set_num_threads(1)
    if ranks > 1:
        store = f'file://{folder}/store{ranks}x{workers}'
        dist.init_process_group('gloo', store, rank=rank, world_size=ranks)
    loop_module.RefinePool = StartedPool
    with DefaultScope.overwrite_default_scope('mmwsss'):
        parts = time_product(make_runner(args, folder, ranks, workers))
    found = [parts] * ranks
    if ranks > 1:
        dist.all_gather_object(found, parts)
    if rank == 0:
        torch.save(tuple(max(found)), folder / 'parts.pt')


def row(name: str, parts: Parts, ranks: int = 1) -> str:
    columns = ''.join(f'{1000 * seconds:9.1f}' for seconds in parts[1:])
    return f'{name:20}{ranks / parts.total:9.2f}{columns}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--ranks', type=int, nargs='+', default=[1])
    parser.add_argument('--images', type=int, default=24, help='per worker')
    parser.add_argument('--size', type=int, default=384, help='side of an image')
    parser.add_argument('--loaders', type=int, default=1, help='processes that read images')
    parser.add_argument('--simulate', action='store_true')
    parser.add_argument('--network', type=float, default=0.01, help='simulated seconds per image')
    parser.add_argument('--crf', type=float, default=0.4, help='simulated seconds per image')
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = args.images * max(args.workers) * max(args.ranks)
        options = ['--train', str(images), '--val', '1', '--size', str(args.size)]
        subprocess.run([sys.executable, MAKE_SHAPES, folder / 'shapes', *options], check=True)
        with DefaultScope.overwrite_default_scope('mmwsss'):
            model = MODELS.build(Config.fromfile(CONFIG).model)
            model.init_weights()
            torch.save({'state_dict': model.state_dict(), 'meta': {}}, folder / 'random.pth')
            plain = time_plain(args, folder)
        names = ('images/s', *Parts._fields[1:], 'x plain', 'of limit')
        print(f'{"":20}' + ''.join(f'{name:>9}' for name in names))
        print(row('plain', plain), flush=True)
        for ranks in args.ranks:
            for workers in args.workers:
                start_processes(
                    time_rank, (args, folder, ranks, workers), nprocs=ranks, start_method='spawn'
                )
                parts = Parts(*torch.load(folder / 'parts.pt'))
                limit = min(workers / plain.crf, 1 / plain.network)
                compared = f'{ranks * plain.total / parts.total:9.2f}{1 / parts.total / limit:9.2f}'
                print(row(f'{ranks} ranks, {workers} workers', parts, ranks) + compared, flush=True)


if __name__ == '__main__':
    main()
